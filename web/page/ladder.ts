/** `<coffer-ladder>`: the ladder of keys, where each rung is, and for how long still what the vault has decrypted. */

import type { Coffer, Held } from "#web/browser/index.ts";
import { flowLog } from "./flow-log.ts";
import { formatNumber } from "./format.ts";
import { shortKey, UNDER, WRAPPINGS } from "./key-words.ts";
import { PanelElement } from "./panel.ts";
import { element, onPress, part, textIn } from "./part.ts";
import { t, wordFor } from "./words.ts";

type HeldKey = Held["keys"][number];

/** Keys of a rung that are shown one by one. */
const MOST = 40;
const SECOND = 1000;

export class CofferLadder extends PanelElement {
  /** What says for how long still, and when that ends, milliseconds of the page's steady clock. */
  readonly #ends = new Map<HTMLElement, number>();
  #timer: ReturnType<typeof setInterval> | undefined;
  #reading = false;

  protected override ready(): void {
    super.ready();
    this.dialog.addEventListener("close", () => this.#stop());
    onPress(this, "lock", () => void this.attempt(() => this.#lock()));
    flowLog.addEventListener("change", () => this.dialog.open && this.#soon());
  }

  override start(coffer: Coffer): void {
    super.start(coffer);
    flowLog.start(coffer);
  }

  override async show(): Promise<void> {
    this.say("");
    if (!this.dialog.open) this.dialog.showModal();
    this.#timer ??= setInterval(() => this.#count(), SECOND);
    await this.attempt(() => this.read());
  }

  protected override clear(): void {
    this.#stop();
    flowLog.clear();
    for (const list of this.querySelectorAll("[data-held]")) list.replaceChildren();
  }

  /** Of the vault alone. */
  protected override async read(): Promise<void> {
    await flowLog.look();
    this.#draw();
  }

  async #lock(): Promise<void> {
    await flowLog.drop();
    await this.read();
    this.say(t("The keys are dropped."));
  }

  #draw(): void {
    this.#ends.clear();
    const keys = flowLog.held;
    for (const rung of this.querySelectorAll<HTMLElement>("[data-rung]")) {
      const own = keys.filter(({ what }) => what === rung.dataset.rung);
      const rows = own.slice(0, MOST).map((key) => this.#rowOf(key));
      if (own.length > MOST)
        rows.push(textIn("li", t("and {count} more", { count: formatNumber(own.length - MOST) })));
      rung.toggleAttribute("data-here", own.length > 0);
      element(rung, "[data-held]").replaceChildren(...rows);
    }
    part(this, "empty").hidden = keys.length > 0;
    part<HTMLButtonElement>(this, "lock").disabled = keys.length === 0;
    this.#count();
  }

  #rowOf({ key, left, wrapping, under }: HeldKey): HTMLElement {
    const row = document.createElement("li");
    const said = document.createElement("div");
    said.append(textIn("code", shortKey(key)));
    if (wrapping && under) {
      const values = { wrapping: wordFor(WRAPPINGS, wrapping), under: wordFor(UNDER, under) };
      const how = textIn("span", t("Came in by {wrapping}. At rest: {under}.", values));
      how.className = "meta";
      said.append(how);
    }
    const time = textIn("span", "");
    time.className = "left";
    this.#ends.set(time, performance.now() + left);
    row.append(said, time);
    return row;
  }

  /** By this page's clock; the vault is asked again when one has ended. */
  #count(): void {
    const now = performance.now();
    let over = false;
    for (const [time, end] of this.#ends) {
      over ||= end <= now;
      time.textContent = t("{time} left", { time: clock(Math.max(0, end - now)) });
    }
    if (over && this.dialog.open) this.#soon();
  }

  #soon(): void {
    if (this.#reading) return;
    this.#reading = true;
    // What has ended by this clock has a moment still by that of the vault.
    setTimeout(() => {
      this.#reading = false;
      if (this.dialog.open) void this.attempt(() => this.read());
    }, SECOND / 4);
  }

  #stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#ends.clear();
  }
}

/** Minutes and seconds. */
function clock(milliseconds: number): string {
  const seconds = Math.ceil(milliseconds / SECOND);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}
