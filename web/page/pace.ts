/** How fast a transfer goes, smoothed, to tell the time that is left. */

/** Seconds over which the measured rate is smoothed. */
const SMOOTH = 4;

/** Takes the bytes done at a time, gives the seconds left once it knows enough. */
export class Pace {
  #start: { bytes: number; time: number } | undefined;
  #last: { bytes: number; time: number } | undefined;
  #rate = 0;
  #known = false;

  /** Bytes a second; undefined as long as the time left is. */
  get rate(): number | undefined {
    return this.#known ? this.#rate : undefined;
  }

  /** `time` in milliseconds of any steady clock. Undefined in the first second and while nothing moves. */
  left(bytes: number, total: number, time: number): number | undefined {
    this.#start ??= { bytes, time };
    this.#last ??= this.#start;
    const passed = (time - this.#last.time) / 1000;
    if (passed >= 0.1) {
      const rate = (bytes - this.#last.bytes) / passed;
      const weight = this.#rate === 0 ? 1 : 1 - Math.exp(-passed / SMOOTH);
      this.#rate += (rate - this.#rate) * weight;
      this.#last = { bytes, time };
    }
    this.#known = time - this.#start.time >= 1000 && this.#rate > 0;
    return this.#known ? (total - bytes) / this.#rate : undefined;
  }
}
