/**
 * When a button may be pressed: after a person has had the page in front of them for a while. A script of another page can
 * open this one in a window of one pixel, under the pointer between two clicks, or while Enter is held down.
 */

/** How long the page must have been in front of a person without a press, milliseconds. The vault's server holds to it too. */
export const HOLD = 1000;
/** A window in which the question can be read: what is left of 1280 × 1024 at 400 % (WCAG 1.4.10), nearly. CSS pixels. */
const MIN_WIDTH = 300;
const MIN_HEIGHT = 200;
/** Looked at this often, milliseconds; a longer gap means that nobody looked at all (a sleeping machine). */
export const LOOK = 50;
const GAP = 500;

/** What the browser says of the page. */
export type Attention = {
  /** `document.visibilityState` is visible. */
  visible: boolean;
  /** `document.hasFocus()`. */
  focused: boolean;
  width: number;
  height: number;
  /** What is asked has been in view since the page was loaded. */
  seen: boolean;
};

export type Held = "held" | "unfocused" | "small" | "free";

/** The clock of one page. `now` is monotonic, milliseconds. */
export class Hold {
  #since: number | undefined;
  #looked = Number.NEGATIVE_INFINITY;
  #free = false;

  /** Whether buttons may be pressed now. */
  look(attention: Attention, now: number): Held {
    const gap = now - this.#looked > GAP;
    this.#looked = now;
    const { visible, focused, width, height, seen } = attention;
    const small = width < MIN_WIDTH || height < MIN_HEIGHT;
    if (gap || small || !visible || !focused || !seen) {
      this.#since = undefined;
      this.#free = false;
    }
    if (small) return "small";
    if (!visible || !focused) return "unfocused";
    if (!seen) return "held";
    this.#since ??= now;
    if (now - this.#since >= HOLD) this.#free = true;
    return this.#free ? "free" : "held";
  }

  /** Something was pressed. Until buttons are free that begins the time again: who presses does not read. */
  press(): void {
    if (!this.#free) this.#since = undefined;
  }

  /** Begins again. */
  restart(): void {
    this.#since = undefined;
    this.#free = false;
  }
}
