import { encodeHex } from "#protocol/bytes.ts";
import { KmipError, type RequestItem, type ResponseItem } from "#protocol/kmip/index.ts";

/**
 * Operations whose answers are asked for later (KMIP 2.1, Poll, Process and Cancel): in memory, so that a restart forgets them.
 * One begins after a pause, or when its client first asks; until then it can be cancelled.
 */

interface Waiting {
  /** The session or the identity that asked: nobody else, of the same identity neither, has the answer. */
  holder: string;
  identity: string;
  correlation: Uint8Array<ArrayBuffer>;
  operation: RequestItem["operation"];
  since: number;
  begin: () => Promise<ResponseItem>;
  /** Once it has begun. */
  answer?: Promise<ResponseItem>;
  done: boolean;
  timer?: NodeJS.Timeout;
}

export type Cancellation = "Canceled" | "UnableToCancel" | "Completed" | "Unavailable";

/** Answers that may wait for one client (and as many for its tickets together), and for all. */
const MAX_WAITING_OF_ONE = 64;
const MAX_WAITING = 1024;
const PAUSE = 500;
const PATIENCE = 10 * 60_000;

export class Pending {
  #waiting = new Map<string, Waiting>();

  /**
   * Keeps what is to be done, or an answer that is there, and returns its Asynchronous Correlation Value (16 random
   * bytes). `begin` never fails.
   */
  keep(
    { holder, identity }: Pick<Waiting, "holder" | "identity">,
    operation: RequestItem["operation"],
    begin: ResponseItem | (() => Promise<ResponseItem>),
    now: Date,
    random: (length: number) => Uint8Array<ArrayBuffer>,
  ): Uint8Array<ArrayBuffer> {
    this.#forget(now);
    const ofAsker = (one: Waiting) =>
      // Tickets of an identity do not use up what it has itself.
      holder === identity ? one.holder === holder : one.identity === identity && one.holder !== identity;
    if (
      [...this.#waiting.values()].filter(ofAsker).length >= MAX_WAITING_OF_ONE ||
      this.#waiting.size >= MAX_WAITING
    )
      throw new KmipError("ServerLimitExceeded", "Too many answers are waiting");
    const correlation = random(16);
    const kept = { holder, identity, correlation, operation, since: now.getTime() };
    const waiting: Waiting =
      typeof begin === "function"
        ? { ...kept, begin, done: false }
        : { ...kept, begin: async () => begin, answer: Promise.resolve(begin), done: true };
    if (!waiting.done) waiting.timer = setTimeout(() => void begun(waiting), PAUSE).unref();
    this.#waiting.set(encodeHex(correlation), waiting);
    return correlation;
  }

  /** The answer, once; it waits on where `check` throws. Throws for one that is not there or not this holder's. */
  async take(
    correlation: Uint8Array,
    holder: string,
    now: Date,
    check: (answer: ResponseItem) => void,
  ): Promise<ResponseItem> {
    this.#forget(now);
    const waiting = this.#of(correlation, holder);
    this.#waiting.delete(encodeHex(correlation));
    const answer = await begun(waiting);
    try {
      check(answer);
      return answer;
    } catch (error) {
      this.#waiting.set(encodeHex(correlation), waiting);
      throw error;
    }
  }

  /** Does it now; its answer still waits. Throws for one that is not there or not this holder's. */
  async process(correlation: Uint8Array, holder: string): Promise<void> {
    await begun(this.#of(correlation, holder));
  }

  #of(correlation: Uint8Array, holder: string): Waiting {
    const waiting = this.#waiting.get(encodeHex(correlation));
    if (waiting?.holder !== holder)
      throw new KmipError("InvalidAsynchronousCorrelationValue", "Nothing is waiting under that value");
    return waiting;
  }

  /** What waits for that holder, in the order in which it came. */
  of(holder: string): Pick<Waiting, "correlation" | "operation" | "since" | "answer" | "done">[] {
    return [...this.#waiting.values()].filter((one) => one.holder === holder);
  }

  has(correlation: Uint8Array, holder: string): boolean {
    return this.#waiting.get(encodeHex(correlation))?.holder === holder;
  }

  /** Cancels what has not begun; the answer of anything else still waits. */
  cancel(correlation: Uint8Array, holder: string): Cancellation {
    const name = encodeHex(correlation);
    const waiting = this.#waiting.get(name);
    if (waiting?.holder !== holder) return "Unavailable";
    if (waiting.answer) return waiting.done ? "Completed" : "UnableToCancel";
    clearTimeout(waiting.timer);
    this.#waiting.delete(name);
    return "Canceled";
  }

  /** Nothing more begins by itself. */
  close(): void {
    for (const { timer } of this.#waiting.values()) clearTimeout(timer);
    this.#waiting.clear();
  }

  #forget(now: Date): void {
    for (const [name, { since, done }] of this.#waiting)
      if (done && now.getTime() - since > PATIENCE) this.#waiting.delete(name);
  }
}

function begun(waiting: Waiting): Promise<ResponseItem> {
  clearTimeout(waiting.timer);
  waiting.answer ??= waiting.begin().finally(() => {
    waiting.done = true;
  });
  return waiting.answer;
}
