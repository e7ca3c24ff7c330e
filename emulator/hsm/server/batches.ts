import { ATTESTATION_TYPES } from "#protocol/evidence/index.ts";
import {
  hasOperation,
  KmipError,
  type RequestItem,
  type RequestMessage,
  type ResponseItem,
} from "#protocol/kmip/index.ts";
import type { SeededRandom, Seeding } from "../crypto/random.ts";
import type { Authenticated } from "../identity/authentication.ts";
import { checkRights } from "../identity/rights.ts";
import { objectsFor, type Tickets } from "../identity/tickets.ts";
import type { Log } from "../log.ts";
import type { Asker, Clock, Context, Effort, Randomness, Store } from "../operations/context.ts";
import { Groups } from "../operations/groups.ts";
import { OPERATIONS } from "../operations/index.ts";
import { checkNames } from "../operations/new-object.ts";
import { Pending } from "../operations/pending.ts";
import { References } from "../operations/references.ts";
import { withKnownAttributes } from "../operations/request-attributes.ts";
import { Streams } from "../operations/streams.ts";
import { withTemplates } from "../operations/templates.ts";
import { checkOperation, mayAsk, type Subject } from "../policy/access.ts";
import type { ObjectStore } from "../store/store.ts";
import { Conflict, Work } from "../store/work.ts";
import { checkCarried, type Failure, failed, framing, told, undone } from "./answer.ts";
import { answerLength } from "./answer-length.ts";
import { Budget, HeavyWork } from "./heavy-work.ts";
import type { Origin } from "./listener.ts";
import { Turns } from "./turns.ts";

export interface BatchesOptions {
  store: ObjectStore;
  now: () => Date;
  random: SeededRandom;
  log: Log;
  tickets: Tickets;
  attestationRoots: readonly Uint8Array[];
  seeding: Seeding;
  structuredKeyValues: readonly string[];
  pykmip: readonly string[];
  leaseTime: number;
}

/** Bytes of answers in one message, about, after which the items that are left are refused. */
const MAX_ANSWER_BYTES = 8 * 1024 * 1024;
const TOO_LONG: Failure = {
  code: "ResponseTooLarge",
  message: "The answers are too long: ask for less at a time",
};
const ENDED: Failure = { code: "InvalidTicket", message: "The ticket ended before the operation began" };
/** How often an item is tried again that others got in the way of. */
const ATTEMPTS = 3;

/**
 * Executes batches (KMIP 2.1 §8 Messages): items in order, each a transaction; on Undo, the whole batch is one. What outlives a
 * message (streams, answers that are asked for later) is kept here.
 */
export class Batches {
  #options: BatchesOptions;
  #kept = { streams: new Streams(), pending: new Pending(), groups: new Groups() };
  #heavy = new HeavyWork();
  #turns = new Turns();

  constructor(options: BatchesOptions) {
    this.#options = options;
  }

  /** The answers to the items that were reached, in order. */
  async execute(
    { header, items }: RequestMessage,
    authenticated: Authenticated,
    origin: Origin,
  ): Promise<ResponseItem[]> {
    const { store, now, random, seeding, leaseTime } = this.#options;
    const { subject, session } = authenticated;
    const continuation = header.batchErrorContinuationOption ?? "Stop";
    const undo = continuation === "Undo" && items.length > 1;
    const references = new References();
    const asker = this.#asker(header, authenticated, origin);
    const effort = this.#effort(subject);
    const answers: ResponseItem[] = [];
    let work = new Work(store);
    let length = 0;
    for (const item of items) {
      const over = effort.turnOver();
      if (over) await over;
      if (!undo) work = new Work(store);
      const objects = session && objectsFor(session, String(item.operation));
      const context: Context = {
        ...asker,
        ...(objects ? { objects } : {}),
        now: now(),
        random: (length) => random.take(length),
        seeding,
        seed: (data) => random.seed(data),
        work,
        references,
        undoable: undo,
        leaseTime,
        ...this.#kept,
        tickets: this.#options.tickets,
        ...effort,
      };
      const later = isDeferred(header, item, subject);
      let answer: ResponseItem;
      if (length > MAX_ANSWER_BYTES) answer = failed(item, TOO_LONG);
      else if (later && items.length === 1)
        answer = this.#later(item, context, () => this.#deferred(item, context, origin));
      else answer = await this.#answer(item, context, origin, undo);
      // Among others an item is done in its place, for the next may be about its object; only its answer comes later.
      const done = later && items.length > 1 && answer.resultStatus === "Success";
      answers.push(done ? this.#later(item, context, answer) : answer);
      length += answerLength(answer);
      if (answer.resultStatus === "Success" || continuation === "Continue") continue;
      if (!undo) break;
      return answers.map((one) => (one.resultStatus === "Success" ? undone(one) : one));
    }
    try {
      // Whether a name is free was asked before others had their turn.
      for (const object of undo ? work.changedMeanwhile() : [])
        checkNames({ work, pykmip: asker.pykmip }, object);
      if (undo) work.commit();
    } catch (error) {
      if (!(error instanceof Conflict || error instanceof KmipError)) throw error;
      const why = told(error, this.#options.log);
      return [...answers.slice(0, -1).map(undone), ...items.slice(-1).map((last) => failed(last, why))];
    }
    return answers;
  }

  #asker(
    { protocolVersion: version }: RequestMessage["header"],
    { subject, session, attestation }: Authenticated,
    { identity: channel }: Origin,
  ): Asker {
    const { attestationRoots, structuredKeyValues, pykmip } = this.#options;
    return {
      subject,
      version,
      channel,
      ...(session ? { session } : {}),
      holder: session?.id ?? subject.identity,
      attestation,
      attestationTypes: attestationRoots.length > 0 ? ATTESTATION_TYPES : [],
      structuredKeyValues: [...structuredKeyValues, ...pykmip].includes(channel),
      pykmip: pykmip.includes(channel),
    };
  }

  #effort({ identity }: Subject): Effort {
    const budget = new Budget();
    return {
      spend: (units) => budget.spend(units),
      heavy: async (units, job) => {
        budget.spend(units);
        return this.#heavy.run(identity, units, job);
      },
      turnOver: () => this.#turns.over(identity),
    };
  }

  /** Poll is answered with the answer that waits; everything else is done now. */
  async #answer(
    item: RequestItem,
    context: Context,
    origin: Origin,
    deferred: boolean,
  ): Promise<ResponseItem> {
    const answer = await this.#item(item, context, origin, deferred);
    if (item.operation !== "Poll" || answer.resultStatus !== "Success") return answer;
    const { uniqueBatchItemId } = item;
    const { asynchronousCorrelationValue } = item.payload;
    let waiting: ResponseItem;
    try {
      waiting = await this.#kept.pending.take(
        asynchronousCorrelationValue,
        context.holder,
        context.now,
        (kept) => {
          // What was asked for in a later version may have more than this one can say.
          if (kept.resultStatus === "Success") checkCarried(kept.operation ?? "Poll", kept.payload, context);
        },
      );
    } catch (error) {
      return failed(item, told(error, this.#options.log));
    }
    // It is this message's header that brings the nonce.
    if (waiting.resultReason === "AttestationRequired") context.attestation.demanded = true;
    return { ...waiting, ...(uniqueBatchItemId ? { uniqueBatchItemId } : {}) };
  }

  /** Does what was asked for earlier. It is on the disk before anybody asks. */
  async #deferred(item: RequestItem, context: Context, origin: Origin): Promise<ResponseItem> {
    const { store, now, log, tickets } = this.#options;
    const begun = { ...context, now: now(), work: new Work(store) };
    if (context.session && !tickets.lives(context.session, begun.now)) return failed(item, ENDED);
    const answer = await this.#answer(item, begun, origin, false);
    try {
      await store.synced();
      return answer;
    } catch (error) {
      return failed(item, told(error, log));
    }
  }

  /** Pending; its answer is to be asked for. What is done already is answered at once where no more answers can wait. */
  #later(
    item: RequestItem,
    { subject: { identity }, holder, now, random }: Asker & Clock & Randomness,
    begin: ResponseItem | (() => Promise<ResponseItem>),
  ): ResponseItem {
    try {
      const asynchronousCorrelationValue = this.#kept.pending.keep(
        { holder, identity },
        item.operation,
        begin,
        now,
        random,
      );
      return {
        ...framing(item),
        resultStatus: "OperationPending",
        asynchronousCorrelationValue,
      } as ResponseItem;
    } catch (error) {
      return typeof begin === "function" ? failed(item, told(error, this.#options.log)) : begin;
    }
  }

  /** Ends what waits to be done. */
  close(): void {
    this.#kept.pending.close();
  }

  async #item(item: RequestItem, context: Context, origin: Origin, deferred: boolean): Promise<ResponseItem> {
    const { operation, payload } = item;
    const { store, log } = this.#options;
    for (let attempt = 1, begun = context; ; attempt++) {
      try {
        if (context.session) checkRights(context.session, String(operation), context.subject.operations);
        const handler = this.#handler(item, begun) as (payload: unknown, context: Context) => unknown;
        const known = withKnownAttributes(operation, payload, begun.version);
        const answer = handler(withTemplates(known, begun), begun);
        const responsePayload = answer instanceof Promise ? await answer : answer;
        checkCarried(operation, responsePayload, begun);
        if (!deferred) begun.work.commit();
        this.#log(item, context.subject, origin, responsePayload);
        return { ...framing(item), resultStatus: "Success", payload: responsePayload } as ResponseItem;
      } catch (error) {
        if (error instanceof Conflict && !deferred && attempt < ATTEMPTS) {
          begun = { ...context, work: new Work(store) };
          continue;
        }
        const failure = told(error, log);
        this.#log(item, context.subject, origin, undefined, failure);
        return failed(item, failure);
      }
    }
  }

  #handler(item: RequestItem, { subject, undoable, version }: Asker & Store): unknown {
    const { operation, ephemeral, messageExtension } = item;
    if (!hasOperation(operation, version))
      throw new KmipError("OperationNotSupported", "Not an operation of this protocol version");
    checkOperation(subject, String(operation));
    const found =
      typeof operation === "string" && Object.hasOwn(OPERATIONS, operation) && OPERATIONS[operation];
    if (!found) throw new KmipError("OperationNotSupported", "Not an operation of this server");
    // What others did, or will do, cannot be undone with the batch.
    if (undoable && !found.undoable)
      throw new KmipError("FeatureNotSupported", "Not in a batch that is to be undone");
    if (ephemeral) throw new KmipError("FeatureNotSupported", "Nothing is ephemeral here");
    if (messageExtension?.some(({ criticalityIndicator }) => criticalityIndicator))
      throw new KmipError("FeatureNotSupported", "Not a known message extension");
    return found.handler;
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

/** Whether the client asks for the answer later: 1.x says so by a Boolean, 2.x by Mandatory (KMIP 2.1 §9.2 Asynchronous Indicator). */
function isDeferred(
  { asynchronousIndicator, protocolVersion }: RequestMessage["header"],
  { operation }: RequestItem,
  subject: Subject,
): boolean {
  const asked =
    asynchronousIndicator === "Mandatory" ||
    (asynchronousIndicator === "Optional" && protocolVersion.major === 1);
  return asked && mayAsk(subject, "Poll") && subject.operations[operation]?.deferrable !== false;
}
