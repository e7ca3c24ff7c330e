import { ATTESTATION_TYPES } from "#protocol/evidence/index.ts";
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
import { SeededRandom, type Seeding } from "../crypto/random.ts";
import { type Authenticated, Authentication } from "../identity/authentication.ts";
import { Principals } from "../identity/principals.ts";
import { Tickets } from "../identity/tickets.ts";
import type { Log } from "../log.ts";
import { OPERATIONS } from "../operations/index.ts";
import { LEASE_TIME } from "../operations/lease-time.ts";
import { mayAsk } from "../policy/access.ts";
import { OperationPolicies } from "../policy/operation-policy.ts";
import type { ObjectStore } from "../store/store.ts";
import { told } from "./answer.ts";
import { Batches } from "./batches.ts";
import type { Executed, Origin } from "./listener.ts";

export interface EngineOptions {
  store: ObjectStore;
  now: () => Date;
  random: (length: number) => Uint8Array<ArrayBuffer>;
  log: Log;
  /** Longest request in bytes. */
  limit: number;
  /** Maximum items of a batch. */
  maxItems?: number;
  /** Clients that may name themselves by credentials; nobody by default. */
  principals?: Principals;
  /** What ordinary clients may do with each other's objects; the built-in policies by default. */
  policies?: OperationPolicies;
  /** Roots of the platforms whose attestation is accepted; none by default. */
  attestationRoots?: readonly Uint8Array[];
  /** What becomes of seeds; they are mixed in by default. */
  seeding?: Seeding;
  /** Identities whose clients read a bare wrapped key only as a structure; none by default. */
  structuredKeyValues?: readonly string[];
  /** Identities whose clients are PyKMIP's (`operations/pykmip.ts`); none by default. */
  pykmip?: readonly string[];
  /** The longest lease (s), `LEASE_TIME` by default; 0 is without end. */
  leaseTime?: number;
}

/**
 * Answers request messages (KMIP 2.1 §8 Messages): who asks, what the header says, the batch, the answer in its encoding. Errors
 * of the client are answered, never thrown.
 */
export class Engine {
  #options: Required<EngineOptions>;
  #random: SeededRandom;
  #authentication: Authentication;
  #batches: Batches;

  constructor(options: EngineOptions) {
    this.#options = {
      maxItems: 512,
      principals: new Principals([]),
      policies: new OperationPolicies(OPERATIONS),
      attestationRoots: [],
      seeding: "mixed",
      structuredKeyValues: [],
      pykmip: [],
      leaseTime: LEASE_TIME,
      ...options,
    };
    const { principals, policies, attestationRoots: roots, log } = this.#options;
    const tickets = new Tickets();
    this.#random = new SeededRandom(options.random);
    this.#authentication = new Authentication({ principals, policies, tickets, roots, log });
    this.#batches = new Batches({ ...this.#options, random: this.#random, tickets });
  }

  /** Ends what waits to be done. */
  close(): void {
    this.#batches.close();
  }

  /** Decodes, executes, encodes. Reads are to wait for the disk too: what they report must not be undone by a crash. */
  async serve(bytes: Uint8Array, origin: Origin): Promise<Executed> {
    const response = await this.#respond(bytes, origin);
    const durable = this.#options.store.synced();
    // A client that waits for it is told; one that has gone does not wait.
    durable.catch(() => {});
    return { response, durable };
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
      const { code, message } = told(error, this.#options.log);
      // The answer names the operation where there is one to name (KMIP 2.1 §8.6 Response Batch Item); of several, the whole batch failed.
      const [only, ...more] = request.items;
      const operation = more.length === 0 ? only?.operation : undefined;
      return this.#refusal(code, message, origin, supported(protocolVersion) ?? protocolVersion, operation);
    }
    // The Client Correlation Value is not sent back: it is for the server's log (KMIP 2.1 §9.9 Correlation Value (Client)).
    const items = await this.#batches.execute(request, client, origin);
    return this.#encode(request, { header: this.#header(request, client, origin), items }, origin);
  }

  /** With a nonce and the accepted types where something asked for attestation (KMIP 2.1 §8.5 Response Header). */
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
        ? { nonce: nonces.issue(identity, now, random), attestationType: [...ATTESTATION_TYPES] }
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
    // KMIP Profiles 2.1: the bound is of the TTLV encoding, whatever travels.
    const size =
      maximumResponseSize !== undefined && origin.encoding !== "ttlv" ? encodeResponse(response) : encoded;
    if (maximumResponseSize !== undefined && size.length > maximumResponseSize)
      return this.#refusal(
        "ResponseTooLarge",
        "The response would be too large",
        origin,
        protocolVersion,
        request.items[0]?.operation,
      );
    return encoded;
  }

  async #checkHeader({ header, items }: RequestMessage, origin: Origin): Promise<Authenticated> {
    if (!isSupported(header.protocolVersion))
      throw new KmipError("UnsupportedProtocolVersion", "Not a supported protocol version");
    const client = await this.#authentication.authenticate(header, origin.identity, this.#options.now());
    if (header.asynchronousIndicator === "Mandatory" && !mayAsk(client.subject, "Poll"))
      throw new KmipError("FeatureNotSupported", "Nothing is asynchronous for this identity");
    if (items.length === 0) throw new KmipError("InvalidMessage", "An empty batch");
    if (items.length > this.#options.maxItems)
      throw new KmipError("InvalidMessage", "Too many items in the batch");
    return client;
  }

  #refusal(
    code: ResultReason,
    message: string,
    origin: Origin,
    version = VERSIONS[0],
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
