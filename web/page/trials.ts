/** When to try again what found no server: after half a minute at first, then after twice as long each time. */

/** Between the first failure and the first trial, and between two trials at most. Milliseconds. */
const [FIRST, MOST] = [30_000, 600_000];

export class Trials {
  readonly #work: () => void;
  #pause = FIRST;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** `work`: tries all that have failed. */
  constructor(work: () => void) {
    this.#work = work;
  }

  /** One has failed: it has its turn at the next trial, which is not put off by it. */
  failed(): void {
    if (this.#timer !== undefined) return;
    this.#timer = setTimeout(() => this.now(), this.#pause);
    this.#pause = Math.min(2 * this.#pause, MOST);
  }

  /** A trial at once, in the place of the next. */
  now(): void {
    this.stop();
    this.#work();
  }

  /** The server has answered: it is soon tried again where it goes away once more. */
  reached(): void {
    this.#pause = FIRST;
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
