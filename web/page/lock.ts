/**
 * Locking (docs/decisions/0100): the page is loaded again and shows nothing, and with it goes the vault's frame and all that it has decrypted, until somebody
 * presses Unlock. It is of this browser: all its tabs lock and unlock together. Whoever uses the browser can unlock, for the sign-in stands: it hides.
 */

import { choice, keepChoice } from "./choices.ts";

const LOCKED = "coffer-locked";
const AFTER = "coffer-lock-after";
/** When it was used last, milliseconds since 1970, where it locks by itself: a browser that was closed, or has dropped a tab, comes back to a page that knows. */
const USED = "coffer-used";
/** After how many minutes without use it can lock by itself; 0: never. */
const MINUTES = [0, 5, 15, 60];
const MINUTE = 60_000;
/** Between two times that the other tabs are told of use, milliseconds. */
const TELLING = 10_000;
/** What shows that somebody is there. */
const USES = ["pointerdown", "pointermove", "keydown", "wheel", "touchstart"];

/** What tabs tell each other. */
type Word = { word: "lock" | "unlock" | "used" } | { word: "after"; minutes: number };

export interface LockHost {
  /** Whether there is something to hide. */
  open(): boolean;
  /** Whether something goes on that a lock would cut off, or that somebody may be looking at. */
  busy(): boolean;
  /** Loads the page again: nothing of it stays in memory. */
  leave(): void;
  unlock(): void;
}

export class Lock {
  readonly #host: LockHost;
  readonly #tabs = new BroadcastChannel("coffer-lock");
  #locked = choice(LOCKED) !== undefined;
  /** When it was used last, in this tab or another, and when others were told; milliseconds since 1970, for a clock that goes on while a device sleeps. */
  #used = Date.now();
  #told = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(host: LockHost) {
    this.#host = host;
    if (!this.#locked && this.#wasLeft()) {
      keepChoice(LOCKED, "yes");
      this.#locked = true;
    }
    this.#noteUse();
    this.#tabs.addEventListener("message", ({ data }: MessageEvent<Word>) => this.#hear(data));
    for (const use of USES) addEventListener(use, () => this.#use(), { capture: true, passive: true });
    // Of a device that has slept, before anything else is done.
    for (const back of ["focus", "pageshow"]) addEventListener(back, () => this.#look());
    document.addEventListener("visibilitychange", () => this.#look());
    this.#wait();
  }

  get locked(): boolean {
    return this.#locked;
  }

  /** Minutes without use; 0: never. */
  get after(): number {
    const kept = Number(choice(AFTER));
    return MINUTES.includes(kept) ? kept : 0;
  }

  set after(minutes: number) {
    this.#keepAfter(minutes);
    this.#tell({ word: "after", minutes });
  }

  /** Where a browser keeps no choice it keeps no sign-in either: the page that comes is then of one who is signed out. */
  lock(): void {
    keepChoice(LOCKED, "yes");
    this.#tell({ word: "lock" });
    this.#host.leave();
  }

  unlock(): void {
    this.forget();
    this.#tell({ word: "unlock" });
    this.#host.unlock();
  }

  /** Nobody is signed in: there is nothing to hide. */
  forget(): void {
    keepChoice(LOCKED, undefined);
    this.#locked = false;
    this.#noteUse();
  }

  /** Whether nobody has used it for as long as it takes, before this page was loaded. */
  #wasLeft(): boolean {
    const used = choice(USED);
    return this.after > 0 && used !== undefined && Date.now() - Number(used) >= this.after * MINUTE;
  }

  #noteUse(): void {
    this.#used = Date.now();
    if (this.after > 0 && !this.#locked) keepChoice(USED, String(this.#used));
  }

  #tell(word: Word): void {
    this.#tabs.postMessage(word);
  }

  #hear(said: Word): void {
    if (said.word === "used") this.#used = Date.now();
    if (said.word === "after") this.#keepAfter(said.minutes);
    if (said.word === "lock") {
      if (this.#host.open()) this.#host.leave();
      // It has not come so far yet, and does not.
      else this.#locked = true;
    }
    if (said.word === "unlock" && this.#locked) {
      this.forget();
      this.#host.unlock();
    }
  }

  #use(): void {
    if (this.#look()) return;
    this.#used = Date.now();
    if (this.#used - this.#told < TELLING) return;
    this.#told = this.#used;
    this.#noteUse();
    this.#tell({ word: "used" });
  }

  /** Whether it has locked now. What goes on counts as use, for the other tabs too. */
  #look(): boolean {
    if (!this.#host.open()) return false;
    // A page that was put aside has heard nothing.
    if (choice(LOCKED) !== undefined) {
      this.#host.leave();
      return true;
    }
    const after = this.after * MINUTE;
    if (after === 0) return false;
    if (this.#host.busy()) {
      this.#noteUse();
      this.#tell({ word: "used" });
      return false;
    }
    if (Date.now() - this.#used < after) return false;
    this.lock();
    return true;
  }

  #keepAfter(minutes: number): void {
    keepChoice(AFTER, minutes === 0 ? undefined : String(minutes));
    if (minutes === 0) keepChoice(USED, undefined);
    else this.#noteUse();
    this.#wait();
  }

  /** Looks when it may be time, and once a minute, so that others hear in time of a tab in which something goes on. */
  #wait(): void {
    clearTimeout(this.#timer);
    const after = this.after * MINUTE;
    if (after === 0) return;
    const left = this.#used + after - Date.now();
    this.#timer = setTimeout(() => this.#look() || this.#wait(), Math.min(MINUTE, Math.max(1000, left)));
  }
}
