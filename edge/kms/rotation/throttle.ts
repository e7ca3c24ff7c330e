/**
 * How long a part of the rotation rests after an account. It does not see the requests of users, but what slows them slows it too: it
 * begins slowly, goes a little faster after each account that took about as long as the fastest, and at half the speed after one that
 * took much longer.
 */
export class Throttle {
  readonly #shortest: number;
  #interval: number;
  #fastest = Number.POSITIVE_INFINITY;

  /** `shortest`: the interval from one account's beginning to the next, below which it never goes. Milliseconds. */
  constructor(shortest: number) {
    this.#shortest = shortest;
    this.#interval = shortest * FIRST;
  }

  /** An account took so long: the rest until the next one. Milliseconds. */
  rest(took: number): number {
    this.#fastest = Math.min(this.#fastest * FORGET, Math.max(took, 1));
    const wanted = this.#interval * (took > SLOW * this.#fastest ? BACK_OFF : SPEED_UP);
    this.#interval = Math.min(Math.max(wanted, this.#shortest), this.#shortest * SLOWEST);
    return Math.max(this.#interval - took, REST * took);
  }
}

/** The interval at the beginning, and the longest, by the shortest. */
const FIRST = 8;
const SLOWEST = 32;
/** An account took much longer that took so many times as long as the fastest. */
const SLOW = 2;
const BACK_OFF = 2;
/** In balance one of 24 accounts takes much longer. */
const SPEED_UP = 0.97;
/** What was fast once need not be possible any more: with each account the fastest counts for so much more. */
const FORGET = 1.01;
/** A part rests at least so many times as long as its work took: where everything is slow, requests get most of it. */
const REST = 2;
