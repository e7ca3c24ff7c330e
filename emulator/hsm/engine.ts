import type { X509Certificate } from "node:crypto";
import {
  decodeRequest,
  encodeResponse,
  isSupported,
  KmipDecodeError,
  KmipEncodeError,
  KmipError,
  type ProtocolVersion,
  type RequestItem,
  type RequestMessage,
  type ResponseHeader,
  type ResponseItem,
  type ResponseMessage,
  type ResultReason,
  VERSIONS,
} from "#protocol/kmip/index.ts";
import { type Authenticated, Authentication } from "./authentication.ts";
import { ENCLAVE_EVIDENCE } from "./evidence.ts";
import { Groups } from "./groups.ts";
import type { Executed, Origin } from "./listener.ts";
import type { Log } from "./log.ts";
import { type Context, References } from "./operations/handler.ts";
import { OPERATIONS } from "./operations/index.ts";
import { withTemplates } from "./operations/templates.ts";
import { Pending } from "./pending.ts";
import { checkOperation, type Subject } from "./policy/access.ts";
import { OperationPolicies } from "./policy/operation-policy.ts";
import { mayAsk } from "./policy/roles.ts";
import { Principals } from "./principals.ts";
import { SeededRandom, type Seeding } from "./random.ts";
import type { ObjectStore } from "./store.ts";
import { Streams } from "./streams.ts";
import { objectsFor, rightsTo, type Session, Tickets } from "./tickets.ts";
import { Work } from "./work.ts";

export interface EngineOptions {
  store: ObjectStore;
  now: () => Date;
  random: (length: number) => Uint8Array<ArrayBuffer>;
  log: Log;
  /** Longest request in bytes. */
  limit: number;
  /** Most items of a batch. */
  maxItems?: number;
  /** Clients that may name themselves by credentials; nobody by default. */
  principals?: Principals;
  /** What ordinary clients may do with each other's objects; the built-in policies by default. */
  policies?: OperationPolicies;
  /** Roots of the platforms whose attestation is accepted; none by default. */
  attestationRoots?: readonly X509Certificate[];
  /** What becomes of seeds; they are mixed in by default. */
  seeding?: Seeding;
  /** Identities whose clients read a bare wrapped key only as a structure; none by default. */
  structuredKeyValues?: readonly string[];
}

/**
 * Executes request messages (KMIP 2.1 §8): batches in order, each item a transaction, all durable before the
 * answer; on Undo, the whole batch is one. Errors of the client are answered, never thrown.
 */
export class Engine {
  #options: Required<EngineOptions>;
  #streams = new Streams();
  #tickets = new Tickets();
  #pending = new Pending();
  #groups = new Groups();
  #random: SeededRandom;
  #authentication: Authentication;

  constructor(options: EngineOptions) {
    this.#options = {
      maxItems: 512,
      principals: new Principals([]),
      policies: new OperationPolicies(),
      attestationRoots: [],
      seeding: "mixed",
      structuredKeyValues: [],
      ...options,
    };
    const { principals, policies, attestationRoots: roots, log } = this.#options;
    this.#authentication = new Authentication({
      principals,
      policies,
      tickets: this.#tickets,
      roots,
      log,
    });
    this.#random = new SeededRandom(options.random);
  }

  /** Decodes, executes, encodes. Reads are to wait for the disk too: what they tell must not be undone by a crash. */
  async serve(bytes: Uint8Array, origin: Origin): Promise<Executed> {
    const response = await this.#respond(bytes, origin);
    return { response, durable: this.#options.store.synced() };
  }

  async #respond(bytes: Uint8Array, origin: Origin): Promise<Uint8Array> {
    let request: RequestMessage;
    try {
      request = decodeRequest(bytes, { encoding: origin.encoding });
    } catch (error) {
      if (!(error instanceof KmipDecodeError))
        return this.#refusal("InvalidMessage", "Not a KMIP request", origin);
      return this.#refusal(error.code, error.message, origin, versionIn(bytes, origin));
    }
    const { protocolVersion } = request.header;
    let client: Authenticated;
    try {
      client = await this.#checkHeader(request, origin);
    } catch (error) {
      const { code, message } = this.#known(error);
      // The answer names the operation where there is one to name (KMIP 2.1 §9.4); of several, the whole batch failed.
      const [only, ...more] = request.items;
      const operation = more.length === 0 ? only?.operation : undefined;
      return this.#refusal(code, message, origin, supported(protocolVersion) ?? protocolVersion, operation);
    }
    // The Client Correlation Value is not sent back: it is for the server's log (KMIP 2.1 §8.1.5).
    const items = await this.#execute(request, client, origin);
    return this.#encode(request, { header: this.#header(request, client, origin), items }, origin);
  }

  /** With a nonce and the accepted types where something asked for attestation (KMIP 2.1 §9.3). */
  #header(
    { header: { protocolVersion } }: RequestMessage,
    { attestation, serverHashedPassword }: Authenticated,
    { identity }: Origin,
  ): ResponseHeader {
    const now = this.#options.now();
    const { nonces } = this.#authentication;
    const random = (length: number) => this.#random.take(length);
    return {
      protocolVersion,
      timeStamp: now,
      ...(serverHashedPassword ? { serverHashedPassword } : {}),
      ...(attestation.demanded
        ? { nonce: nonces.issue(identity, now, random), attestationType: [ENCLAVE_EVIDENCE] }
        : {}),
    };
  }

  #encode(request: RequestMessage, response: ResponseMessage, origin: Origin): Uint8Array {
    const { protocolVersion, maximumResponseSize } = request.header;
    let encoded: Uint8Array;
    try {
      encoded = encodeResponse(response, origin.encoding);
    } catch (error) {
      if (!(error instanceof KmipEncodeError)) throw error;
      // Text that came in TTLV can hold what XML cannot.
      const message = `The answer has no form in this encoding: ${error.message}`;
      return this.#refusal("GeneralFailure", message, origin, protocolVersion);
    }
    // Profiles 2.1 §4: the bound is of the TTLV encoding, whatever travels.
    const size =
      maximumResponseSize !== undefined && origin.encoding !== "ttlv" ? encodeResponse(response) : encoded;
    if (maximumResponseSize !== undefined && size.length > maximumResponseSize)
      return this.#refusal(
        "ResponseTooLarge",
        "The response would be too large",
        origin,
        protocolVersion,
        request.items[0]!.operation,
      );
    return encoded;
  }

  async #checkHeader({ header, items }: RequestMessage, origin: Origin): Promise<Authenticated> {
    if (!isSupported(header.protocolVersion))
      throw new KmipError("UnsupportedProtocolVersion", "Not a supported protocol version");
    const client = await this.#authentication.authenticate(header, origin, this.#options.now());
    if (header.asynchronousIndicator === "Mandatory" && !mayAsk(client.subject.role, "Poll"))
      throw new KmipError("FeatureNotSupported", "Nothing is asynchronous for this identity");
    if (items.length === 0) throw new KmipError("InvalidMessage", "An empty batch");
    if (items.length > this.#options.maxItems)
      throw new KmipError("InvalidMessage", "Too many items in the batch");
    return client;
  }

  async #execute(
    { header, items }: RequestMessage,
    { subject, session, attestation }: Authenticated,
    origin: Origin,
  ): Promise<ResponseItem[]> {
    const { store, now, seeding, attestationRoots, structuredKeyValues } = this.#options;
    const continuation = header.batchErrorContinuationOption ?? "Stop";
    const undo = continuation === "Undo" && items.length > 1;
    const references = new References();
    const answers: ResponseItem[] = [];
    let work = new Work(store);
    for (const item of items) {
      if (!undo) work = new Work(store);
      const objects = session && objectsFor(session, String(item.operation));
      const context: Context = {
        subject,
        version: header.protocolVersion,
        now: now(),
        random: (length) => this.#random.take(length),
        seeding,
        seed: (data) => this.#random.seed(data),
        channel: origin.identity,
        attestation,
        attestationTypes: attestationRoots.length > 0 ? [ENCLAVE_EVIDENCE] : [],
        ticketed: session !== undefined,
        ...(objects ? { objects } : {}),
        structuredKeyValues: structuredKeyValues.includes(origin.identity),
        tickets: this.#tickets,
        work,
        streams: this.#streams,
        pending: this.#pending,
        groups: this.#groups,
        references,
        exclusive: undo,
      };
      const later = isDeferred(header, item, subject);
      // Among others an item is done in its place, for the next may be about its object; only its answer comes later.
      const answer =
        later && items.length === 1
          ? this.#later(item, context, () =>
              this.#answer(item, { ...context, now: now(), work: new Work(store) }, origin, false, session),
            )
          : await this.#answer(item, context, origin, undo, session);
      const done = later && items.length > 1 && answer.resultStatus === "Success";
      answers.push(done ? this.#later(item, context, answer) : answer);
      if (answer.resultStatus === "Success" || continuation === "Continue") continue;
      if (!undo) break;
      return answers.map((one) => (one.resultStatus === "Success" ? undone(one) : one));
    }
    if (undo) work.commit();
    return answers;
  }

  /** Poll is answered with the answer that waits; everything else is done now. */
  async #answer(
    item: RequestItem,
    context: Context,
    origin: Origin,
    deferred: boolean,
    session?: Session,
  ): Promise<ResponseItem> {
    const answer = await this.#item(item, context, origin, deferred, session);
    if (item.operation !== "Poll" || answer.resultStatus !== "Success") return answer;
    const { uniqueBatchItemId } = item;
    const waiting = await this.#pending.take(
      item.payload.asynchronousCorrelationValue,
      context.subject.identity,
      context.now,
    );
    return { ...waiting, ...(uniqueBatchItemId ? { uniqueBatchItemId } : {}) };
  }

  /** Pending; its answer is to be asked for. */
  #later(
    { operation, uniqueBatchItemId }: RequestItem,
    { subject, now, random }: Context,
    begin: ResponseItem | (() => Promise<ResponseItem>),
  ): ResponseItem {
    const framing = { operation, ...(uniqueBatchItemId === undefined ? {} : { uniqueBatchItemId }) };
    try {
      const asynchronousCorrelationValue = this.#pending.keep(subject.identity, begin, now, random);
      return { ...framing, resultStatus: "OperationPending", asynchronousCorrelationValue } as ResponseItem;
    } catch (error) {
      const { code, message } = this.#known(error);
      return {
        ...framing,
        resultStatus: "OperationFailed",
        resultReason: code,
        resultMessage: message,
      } as ResponseItem;
    }
  }

  /** Ends what waits to be done. */
  close(): void {
    this.#pending.close();
  }

  async #item(
    item: RequestItem,
    context: Context,
    origin: Origin,
    deferred: boolean,
    session?: Session,
  ): Promise<ResponseItem> {
    const { operation, uniqueBatchItemId, payload } = item;
    const framing = { operation, ...(uniqueBatchItemId === undefined ? {} : { uniqueBatchItemId }) };
    try {
      if (session && rightsTo(session, String(operation)).length === 0)
        throw new KmipError("NotAuthorised", "The ticket is not for that");
      const handler = this.#handler(item, context.subject) as (payload: unknown, context: Context) => unknown;
      const answer = handler(withTemplates(payload, context), context);
      const responsePayload = answer instanceof Promise ? await answer : answer;
      if (!deferred) context.work.commit();
      this.#log(item, context.subject, origin, responsePayload);
      return { ...framing, resultStatus: "Success", payload: responsePayload } as ResponseItem;
    } catch (error) {
      const { code, message } = this.#known(error);
      this.#log(item, context.subject, origin, undefined, code, message);
      return {
        ...framing,
        resultStatus: "OperationFailed",
        resultReason: code,
        resultMessage: message,
      } as ResponseItem;
    }
  }

  #handler(item: RequestItem, subject: Subject): unknown {
    const { operation, ephemeral, messageExtension } = item;
    checkOperation(subject, String(operation));
    const handler =
      typeof operation === "string" && Object.hasOwn(OPERATIONS, operation) && OPERATIONS[operation];
    if (!handler) throw new KmipError("OperationNotSupported", "Not an operation of this server");
    if (ephemeral) throw new KmipError("FeatureNotSupported", "Nothing is ephemeral here");
    if (messageExtension?.some(({ criticalityIndicator }) => criticalityIndicator))
      throw new KmipError("FeatureNotSupported", "Not a known message extension");
    return handler;
  }

  /** What the client is told: our own words and reasons, and of other failures nothing. */
  #known(error: unknown): { code: ResultReason; message: string } {
    if (error instanceof KmipError) return error;
    this.#options.log({ event: "failure", error: error instanceof Error ? error.message : "unknown" });
    return { code: "GeneralFailure", message: "The server failed" };
  }

  #log(
    item: RequestItem,
    { identity }: Subject,
    origin: Origin,
    payload: unknown,
    reason?: ResultReason,
    message?: string,
  ): void {
    const made = payload as { uniqueIdentifier?: unknown; privateKeyUniqueIdentifier?: unknown } | undefined;
    const asked = (item.payload as { uniqueIdentifier?: unknown }).uniqueIdentifier;
    const object = made?.uniqueIdentifier ?? made?.privateKeyUniqueIdentifier ?? asked;
    this.#options.log({
      event: "operation",
      operation: item.operation,
      identity,
      // Who a credential names came on somebody's channel.
      ...(identity === origin.identity ? {} : { channel: origin.identity }),
      transport: origin.transport,
      result: reason ?? "Success",
      ...(typeof object === "string" ? { object: object.slice(0, 128) } : {}),
      ...(message === undefined ? {} : { message }),
    });
  }

  #refusal(
    code: ResultReason,
    message: string,
    origin: Origin,
    version = VERSIONS[0]!,
    operation?: RequestItem["operation"],
  ): Uint8Array {
    this.#options.log({
      event: "refusal",
      identity: origin.identity,
      transport: origin.transport,
      result: code,
      message,
    });
    const header: ResponseHeader = { protocolVersion: version, timeStamp: this.#options.now() };
    const item = {
      operation,
      resultStatus: "OperationFailed",
      resultReason: code,
      resultMessage: message,
    } as ResponseItem;
    return encodeResponse({ header, items: [item] }, origin.encoding);
  }
}

/** Whether the client asks for the answer later: 1.x says so by a Boolean, 2.x by Mandatory (KMIP 2.1 §8.1.1). */
function isDeferred(
  { asynchronousIndicator, protocolVersion }: RequestMessage["header"],
  { operation }: RequestItem,
  { role }: Subject,
): boolean {
  const asked =
    asynchronousIndicator === "Mandatory" ||
    (asynchronousIndicator === "Optional" && protocolVersion.major === 1);
  return asked && mayAsk(role, "Poll") && !AT_ONCE.has(String(operation));
}

/** Operations that are never asynchronous. */
const AT_ONCE: ReadonlySet<string> = new Set(["Poll", "Cancel", "Query", "DiscoverVersions"]);

/** What is undone has told nothing, but on which object it was (BL-M-2). */
function undone({ operation, uniqueBatchItemId, ...answer }: ResponseItem): ResponseItem {
  const framing = { operation, ...(uniqueBatchItemId === undefined ? {} : { uniqueBatchItemId }) };
  const payload = "payload" in answer ? (answer.payload as object) : undefined;
  const only = payload && Object.keys(payload).every((key) => key === "uniqueIdentifier");
  return { ...framing, resultStatus: "OperationUndone", ...(only ? { payload } : {}) } as ResponseItem;
}

/** A refused message is answered in its own version where that is known, or else in the newest one below it. */
function supported({ major, minor }: ProtocolVersion): ProtocolVersion | undefined {
  return VERSIONS.findLast((known) => known.major < major || (known.major === major && known.minor <= minor));
}

/** The version in the header of a TTLV message that could not be decoded: it stands at a fixed place. */
function versionIn(bytes: Uint8Array, { encoding }: Origin): ProtocolVersion | undefined {
  if (encoding !== "ttlv" || bytes.length < 56) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const version = { major: view.getInt32(32), minor: view.getInt32(48) };
  return isSupported(version) ? version : undefined;
}
