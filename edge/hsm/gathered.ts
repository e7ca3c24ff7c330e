/**
 * Batches of one object that come while a message is under way at the HSM go out together in the next one, so that what a message costs is
 * paid once for all of them. Only for batches that leave nothing at the HSM: each has its items done together and in order, and gets the answers to them,
 * whatever becomes of the others; an ID Placeholder that was not set by its own Create is that of an object that is gone.
 */

import { KmipEncodeError, KmipError, type RequestItem, type ResponseItem } from "#protocol/kmip/index.ts";
import { BackEndRefused } from "./back-end.ts";

/** Items of a message that is made of several batches: some milliseconds at the HSM. */
const MAX_ITEMS = 128;
/** Of such a message, about: an HSM need take no more than 1 MiB. */
const MAX_BYTES = 512 * 1024;
/** Nothing was done, since one of them asks for what cannot be said to this HSM, or the HSM refused the whole message: the others are not to suffer for it. */
const REFUSALS = [KmipEncodeError, BackEndRefused, KmipError];

/** Sends one message, with Continue. */
export type Send = (items: readonly RequestItem[]) => Promise<ResponseItem[]>;

type Waiting = {
  items: readonly RequestItem[];
  /** Of its items. */
  bytes: number;
  /** It was refused together with others. */
  isAlone: boolean;
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
      const bytes = sizeOf(items);
      this.#waiting.push({ items, bytes, isAlone: false, send, began, resolve, reject });
      if (!this.#isUnderWay) void this.#sendAll();
    });
  }

  async #sendAll(): Promise<void> {
    this.#isUnderWay = true;
    while (this.#waiting.length > 0) {
      const together = this.#take();
      const failed = await sendTogether(together);
      if (!failed) continue;
      const { error } = failed;
      const isRefused = REFUSALS.some((refusal) => error instanceof refusal);
      if (isRefused && together.length > 1)
        this.#waiting.unshift(...together.map((each) => ({ ...each, isAlone: true, began: () => {} })));
      else for (const { reject } of together) reject(error);
      if (this.#isAway(error)) for (const { reject } of this.#waiting.splice(0)) reject(error);
    }
    this.#isUnderWay = false;
  }

  /** The first, and as many more as there is room for. */
  #take(): Waiting[] {
    let [length, bytes, isAlone] = [0, 0, false];
    const over = this.#waiting.findIndex((each, n) => {
      length += each.items.length;
      bytes += each.bytes;
      isAlone ||= each.isAlone;
      return n > 0 && (isAlone || length > MAX_ITEMS || bytes > MAX_BYTES);
    });
    return this.#waiting.splice(0, over === -1 ? this.#waiting.length : over);
  }
}

/** Never throws: each is told its answers. What the message failed by. */
async function sendTogether(together: readonly Waiting[]): Promise<{ error: unknown } | undefined> {
  const [first] = together;
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
    return { error };
  }
}

/** Of a value in a message, bytes: at least what TTLV has of it (KMIP 2.1 §10.1 TTLV Encoding), but for names of what is an object here. */
function sizeOf(value: unknown): number {
  if (value === undefined) return 0;
  if (value instanceof Uint8Array) return 16 + value.length;
  if (typeof value === "string") return 16 + 3 * value.length;
  if (Array.isArray(value)) return value.reduce((size: number, each) => size + sizeOf(each), 0);
  if (typeof value !== "object" || value === null || value instanceof Date) return 16;
  return Object.values(value).reduce((size: number, each) => size + sizeOf(each), 16);
}
