import { Line } from "./line.ts";

/** How long (ms) messages are served in one turn of the event loop, before what else waits has its turn. */
const MAX_TURN_MS = 10;

/**
 * Turns of the event loop: long work asks between its parts whether it is time to let others go on. Without this,
 * one message of many items, or one connection of many messages, would be served to its end first. Those who wait go on
 * one in a turn, identities by turns: many connections of one client take no more time than one.
 */
export class Turns {
  #since: number | undefined;
  #waiting = new Line<() => void>();
  #scheduled = false;

  /** Undefined while the turn may go on; else what resolves in a later one. */
  over(identity: string): Promise<void> | undefined {
    const now = performance.now();
    if (this.#since === undefined) {
      this.#since = now;
      this.#schedule();
      return undefined;
    }
    if (now - this.#since < MAX_TURN_MS) return undefined;
    return new Promise((resolve) => {
      this.#waiting.add(identity, resolve);
      this.#schedule();
    });
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => this.#next());
  }

  #next(): void {
    this.#scheduled = false;
    this.#since = undefined;
    const goOn = this.#waiting.take();
    if (!goOn) return;
    this.#since = performance.now();
    this.#schedule();
    goOn();
  }
}
