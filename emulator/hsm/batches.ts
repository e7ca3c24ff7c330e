import type { X509Certificate } from "node:crypto";
import {
  KmipError,
  type RequestItem,
  type RequestMessage,
  type ResponseItem,
  type ResultReason,
} from "#protocol/kmip/index.ts";
import type { Authenticated } from "./authentication.ts";
import { ENCLAVE_EVIDENCE } from "./evidence.ts";
import { Groups } from "./groups.ts";
import type { Origin } from "./listener.ts";
import type { Log } from "./log.ts";
import { type Context, References } from "./operations/handler.ts";
import { OPERATIONS } from "./operations/index.ts";
import { withTemplates } from "./operations/templates.ts";
import { Pending } from "./pending.ts";
import { checkOperation, type Subject } from "./policy/access.ts";
import { mayAsk } from "./policy/roles.ts";
import type { SeededRandom, Seeding } from "./random.ts";
import type { ObjectStore } from "./store.ts";
import { Streams } from "./streams.ts";
import { objectsFor, rightsTo, type Session, type Tickets } from "./tickets.ts";
import { Work } from "./work.ts";

export interface BatchesOptions {
  store: ObjectStore;
  now: () => Date;
  random: SeededRandom;
  log: Log;
  tickets: Tickets;
  attestationRoots: readonly X509Certificate[];
  seeding: Seeding;
  structuredKeyValues: readonly string[];
}

/** Why something was refused, in the words for the client. */
export interface Failure {
  code: ResultReason;
  message: string;
}

/**
 * Executes batches (KMIP 2.1 §8): items in order, each a transaction; on Undo, the whole batch is one. What outlives a
 * message (streams, answers that are asked for later) is kept here.
 */
export class Batches {
  #options: BatchesOptions;
  #streams = new Streams();
  #pending = new Pending();
  #groups = new Groups();

  constructor(options: BatchesOptions) {
    this.#options = options;
  }

  /** The answers to the items that were reached, in order. */
  async execute(
    { header, items }: RequestMessage,
    { subject, session, attestation }: Authenticated,
    origin: Origin,
  ): Promise<ResponseItem[]> {
    const { store, now, random, tickets, seeding, attestationRoots, structuredKeyValues } = this.#options;
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
        random: (length) => random.take(length),
        seeding,
        seed: (data) => random.seed(data),
        channel: origin.identity,
        attestation,
        attestationTypes: attestationRoots.length > 0 ? [ENCLAVE_EVIDENCE] : [],
        ticketed: session !== undefined,
        ...(objects ? { objects } : {}),
        structuredKeyValues: structuredKeyValues.includes(origin.identity),
        tickets,
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
      return failed(framing, told(error, this.#options.log));
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
      const failure = told(error, this.#options.log);
      this.#log(item, context.subject, origin, undefined, failure);
      return failed(framing, failure);
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

  #log(item: RequestItem, { identity }: Subject, origin: Origin, payload: unknown, failure?: Failure): void {
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
      result: failure?.code ?? "Success",
      ...(typeof object === "string" ? { object: object.slice(0, 128) } : {}),
      ...(failure ? { message: failure.message } : {}),
    });
  }
}

/** What the client is told: our own words and reasons, and of other failures nothing. */
export function told(error: unknown, log: Log): Failure {
  if (error instanceof KmipError) return error;
  log({ event: "failure", error: error instanceof Error ? error.message : "unknown" });
  return { code: "GeneralFailure", message: "The server failed" };
}

function failed(framing: Pick<ResponseItem, "operation">, { code, message }: Failure): ResponseItem {
  return {
    ...framing,
    resultStatus: "OperationFailed",
    resultReason: code,
    resultMessage: message,
  } as ResponseItem;
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
