/** How long (ms) messages are served in one turn of the event loop, before what else waits has its turn. */
const LONGEST = 10;

/**
 * Turns of the event loop: whoever has much to do asks between its parts whether it is time to let others. Without this,
 * one message of many items, or one connection of many messages, would be served to its end first.
 */
export class Turns {
  #since: number | undefined;

  /** Undefined while the turn may go on; else what resolves in the next one. */
  over(): Promise<void> | undefined {
    const now = performance.now();
    if (this.#since === undefined) {
      this.#since = now;
      setImmediate(() => {
        this.#since = undefined;
      });
      return undefined;
    }
    if (now - this.#since < LONGEST) return undefined;
    return new Promise((resolve) => setImmediate(resolve));
  }
}
