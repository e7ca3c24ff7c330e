import { KmipError } from "#protocol/kmip/index.ts";
import { Line } from "./line.ts";

/**
 * Work whose length a client chooses: key derivation by many rounds, pairs of long RSA keys. It is done off the event loop,
 * identities take turns, and each message and each identity has a budget. A unit is about a microsecond of one core.
 */

/** Units that one message may cost, and those that one identity may have under way. */
const OF_A_MESSAGE = 10_000_000;
const OF_AN_IDENTITY = 20_000_000;
/** Jobs at a time: fewer than libuv has threads, which also write to the disk. */
const SLOTS = 2;

export class HeavyWork {
  /** Jobs that wait. */
  #waiting = new Line<() => void>();
  /** Units under way, waiting ones among them. */
  #units = new Map<string, number>();
  #running = 0;

  /** Does the job when its turn comes. Throws `ServerLimitExceeded` where the identity has too much under way. */
  async run<T>(identity: string, units: number, job: () => Promise<T>): Promise<T> {
    const before = this.#units.get(identity) ?? 0;
    // One alone is always taken: what it may cost is the message's budget.
    if (before > 0 && before + units > OF_AN_IDENTITY)
      throw new KmipError("ServerLimitExceeded", "The client has too much work under way: ask again later");
    this.#units.set(identity, before + units);
    try {
      await this.#turn(identity);
      try {
        return await job();
      } finally {
        this.#running--;
      }
    } finally {
      const left = (this.#units.get(identity) ?? 0) - units;
      if (left > 0) this.#units.set(identity, left);
      else this.#units.delete(identity);
      this.#next();
    }
  }

  #turn(identity: string): Promise<void> {
    return new Promise((begin) => {
      this.#waiting.add(identity, begin);
      this.#next();
    });
  }

  #next(): void {
    if (this.#running >= SLOTS) return;
    const begin = this.#waiting.take();
    if (!begin) return;
    this.#running++;
    begin();
    this.#next();
  }
}

/** What is left of a message's budget. */
export class Budget {
  #left = OF_A_MESSAGE;

  /** Throws `ServerLimitExceeded` where less is left than that. */
  spend(units: number): void {
    if (units > this.#left)
      throw new KmipError(
        "ServerLimitExceeded",
        "The message asks for too much work: ask for less at a time",
      );
    this.#left -= units;
  }
}
