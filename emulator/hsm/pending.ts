import { encodeHex } from "#protocol/bytes.ts";
import { KmipError, type ResponseItem } from "#protocol/kmip/index.ts";

/** Answers that wait to be asked for (KMIP 2.1 §6.1.38 Poll): in memory, so that a restart forgets them. */

interface Waiting {
  identity: string;
  answer: ResponseItem;
  since: number;
}

const MOST = 256;
const PATIENCE = 10 * 60_000;

export class Pending {
  #waiting = new Map<string, Waiting>();

  /** Keeps an answer and returns its Asynchronous Correlation Value (16 random bytes). */
  keep(
    identity: string,
    answer: ResponseItem,
    now: Date,
    random: (length: number) => Uint8Array<ArrayBuffer>,
  ): Uint8Array<ArrayBuffer> {
    this.#forget(now);
    if (this.#waiting.size >= MOST)
      throw new KmipError("ServerLimitExceeded", "Too many answers are waiting");
    const correlation = random(16);
    this.#waiting.set(encodeHex(correlation), { identity, answer, since: now.getTime() });
    return correlation;
  }

  /** The answer, once. Throws for one that is not there or not for this identity. */
  take(correlation: Uint8Array, identity: string, now: Date): ResponseItem {
    this.#forget(now);
    const name = encodeHex(correlation);
    const waiting = this.#waiting.get(name);
    if (waiting?.identity !== identity)
      throw new KmipError("InvalidAsynchronousCorrelationValue", "Nothing is waiting under that value");
    this.#waiting.delete(name);
    return waiting.answer;
  }

  /** Whether an answer waits: what is done already cannot be cancelled. */
  has(correlation: Uint8Array, identity: string): boolean {
    return this.#waiting.get(encodeHex(correlation))?.identity === identity;
  }

  #forget(now: Date): void {
    for (const [name, { since }] of this.#waiting)
      if (now.getTime() - since > PATIENCE) this.#waiting.delete(name);
  }
}
