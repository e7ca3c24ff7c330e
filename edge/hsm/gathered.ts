/**
 * Batches of one object that come while a message is under way at the HSM go out together in the next one, so that what a message costs is
 * paid once for all of them. Only for batches that leave nothing at the HSM: each has its items done together and in order, and gets the answers to them,
 * whatever becomes of the others; an ID Placeholder that was not set by its own Create is that of an object that is gone.
 */

import { KmipEncodeError, type RequestItem, type ResponseItem } from "#protocol/kmip/index.ts";
import { BackEndRefused } from "./back-end.ts";

/** Items of a message that is made of several batches: some milliseconds at the HSM. */
const MAX_ITEMS = 128;

/** Sends one message, with Continue. */
export type Send = (items: readonly RequestItem[]) => Promise<ResponseItem[]>;

type Waiting = {
  items: readonly RequestItem[];
  send: Send;
  began: () => void;
  resolve: (answers: ResponseItem[]) => void;
  reject: (error: unknown) => void;
};

/** What waits for the message that is under way. Of one object: requests of several may not wait for each other. */
export class Gathered {
  readonly #isAway: (error: unknown) => boolean;
  readonly #waiting: Waiting[] = [];
  #isUnderWay = false;

  /** `isAway`: whether an HSM that fails so would have those who wait for their turn wait as long for the same. */
  constructor(isAway: (error: unknown) => boolean) {
    this.#isAway = isAway;
  }

  /**
   * The answers to these items. Of several that go together the first sends. `began`: called when they go out. Throws what `send` throws, and
   * what that threw for the message that they waited for where the HSM was away.
   */
  batch(items: readonly RequestItem[], send: Send, began: () => void = () => {}): Promise<ResponseItem[]> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ items, send, began, resolve, reject });
      if (!this.#isUnderWay) void this.#sendAll();
    });
  }

  async #sendAll(): Promise<void> {
    this.#isUnderWay = true;
    while (this.#waiting.length > 0) {
      const failed = await sendTogether(this.#take());
      if (failed && this.#isAway(failed.error))
        for (const { reject } of this.#waiting.splice(0)) reject(failed.error);
    }
    this.#isUnderWay = false;
  }

  /** The first, and as many more as there is room for. */
  #take(): Waiting[] {
    let length = 0;
    const over = this.#waiting.findIndex(({ items }, n) => {
      length += items.length;
      return n > 0 && length > MAX_ITEMS;
    });
    return this.#waiting.splice(0, over === -1 ? this.#waiting.length : over);
  }
}

/** Never throws: each is told for itself. What the message failed by. */
async function sendTogether(together: readonly Waiting[]): Promise<{ error: unknown } | undefined> {
  const [first, ...others] = together;
  if (first === undefined) return undefined;
  try {
    for (const { began } of together) began();
    const answers = await first.send(together.flatMap(({ items }) => items));
    let from = 0;
    for (const { items, resolve } of together) {
      resolve(answers.slice(from, from + items.length));
      from += items.length;
    }
    return undefined;
  } catch (error) {
    // What one of them asks for cannot be said to this HSM. Nothing was sent, and the others are not to suffer for it.
    const unsaid = error instanceof KmipEncodeError || error instanceof BackEndRefused;
    if (unsaid && others.length > 0) for (const each of together) await sendTogether([each]);
    else for (const { reject } of together) reject(error);
    return { error };
  }
}
