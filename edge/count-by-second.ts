/** How many there were in each second of a window, in an object's memory: what its table would be asked row by row at each request. Seconds since 1970. */
export class CountBySecond {
  readonly #window: number;
  readonly #counts = new Map<number, number>();

  constructor(window: number) {
    this.#window = window;
  }

  add(second: number, count: number): void {
    this.#counts.set(second, (this.#counts.get(second) ?? 0) + count);
  }

  /** In the window that ends now. What is later than now was there before the clock was set back, and does not count. */
  within(now: number): number {
    let sum = 0;
    for (const [second, count] of this.#counts) {
      if (second <= now - this.#window) this.#counts.delete(second);
      else if (second <= now) sum += count;
    }
    return sum;
  }

  /** When the one was there that has so many after it, itself included; undefined where there are fewer. */
  nthLast(n: number, now: number): number | undefined {
    let left = n;
    for (const second of [...this.#counts.keys()].filter((each) => each <= now).sort((a, b) => b - a)) {
      left -= this.#counts.get(second) ?? 0;
      if (left <= 0) return second;
    }
    return undefined;
  }
}
