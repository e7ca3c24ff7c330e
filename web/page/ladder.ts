/** `<coffer-ladder>`: the ladder of keys, where each rung is, and for how long still what the vault has decrypted and what the KMS keeps. */

import type { Coffer, Held, KeptKey } from "#web/browser/index.ts";
import { flowLog } from "./flow-log.ts";
import { formatNumber } from "./format.ts";
import { shortKey, UNDER, WRAPPINGS } from "./key-words.ts";
import { PanelElement } from "./panel.ts";
import { element, onPress, part, textIn } from "./part.ts";
import { t, wordFor } from "./words.ts";

type HeldKey = Held["keys"][number];

/** Keys of a rung that are shown one by one. */
const MOST = 40;
/** Accounts for which the KMS is asked. */
const ACCOUNTS = 8;
const SECOND = 1000;

export class CofferLadder extends PanelElement {
  /** What says for how long still, and when that ends, milliseconds of the page's steady clock. */
  readonly #ends = new Map<HTMLElement, number>();
  #timer: ReturnType<typeof setInterval> | undefined;
  #reading = false;
  /** What the KMS has said last, when, and after which operation. Undefined where it keeps nothing at this level. */
  #kept: { keys: KeptKey[]; at: number } | undefined;
  #after: number | undefined;

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
    this.#after = undefined;
    await this.attempt(() => this.read());
  }

  protected override clear(): void {
    this.#stop();
    flowLog.clear();
    this.#kept = undefined;
    for (const list of this.querySelectorAll("[data-held], [data-kept]")) list.replaceChildren();
  }

  /** Of the vault, and of the KMS once after each operation: another may have brought it a key. */
  protected override async read(): Promise<void> {
    const ended = flowLog.flows[0]?.ended ?? 0;
    const again = this.#after === undefined || this.#after < ended;
    if (again) this.#after = ended;
    const [kept] = await Promise.allSettled([again && this.#askKms(), flowLog.look()]);
    this.#draw();
    if (kept.status === "rejected") throw kept.reason;
  }

  /** At level `data` it keeps none. */
  async #askKms(): Promise<void> {
    const { identity, microservice } = this.coffer;
    this.#kept = undefined;
    if (microservice.phase !== "ready" || microservice.instance.level === undefined) return;
    const { id, level } = microservice.instance;
    const accounts = (identity?.accounts ?? []).slice(0, ACCOUNTS);
    const at = performance.now();
    const keys = await this.coffer.manage((life) =>
      Promise.all(
        accounts.map((account, n) => life.kept(account.id, n === 0 && level === "master" ? id : undefined)),
      ),
    );
    this.#kept = { keys: keys.flat(), at };
  }

  async #lock(): Promise<void> {
    await flowLog.drop();
    await this.read();
    this.say(t("The keys are dropped."));
  }

  #draw(): void {
    this.#ends.clear();
    const keys = flowLog.held;
    const kept = this.#keptNow();
    for (const rung of this.querySelectorAll<HTMLElement>("[data-rung]")) {
      const own = keys.filter(({ what }) => what === rung.dataset.rung);
      const rows = own.slice(0, MOST).map((key) => this.#rowOf(key));
      if (own.length > MOST)
        rows.push(textIn("li", t("and {count} more", { count: formatNumber(own.length - MOST) })));
      rung.toggleAttribute("data-here", own.length > 0);
      element(rung, "[data-held]").replaceChildren(...rows);
      element(rung, "[data-held-words]").hidden = own.length === 0;
      const copies = kept.filter(({ what }) => what === rung.dataset.rung);
      rung.toggleAttribute("data-with-kms", copies.length > 0);
      for (const part of rung.querySelectorAll<HTMLElement>("[data-kept-words], [data-kept]"))
        part.hidden = copies.length === 0;
      const copied = copies
        .slice(0, MOST)
        .map(({ key, end }) => this.#rowUntil(textIn("code", shortKey(key)), end));
      rung.querySelector("[data-kept]")?.replaceChildren(...copied);
    }
    const kms = part(this, "kms");
    kms.hidden = kept.length > 0;
    kms.textContent = this.#kept
      ? t("The KMS has no key in its memory now.")
      : t("The KMS keeps no key in its memory at this level: each document brings its own.");
    part(this, "empty").hidden = keys.length > 0;
    part<HTMLButtonElement>(this, "lock").disabled = keys.length === 0;
    this.#count();
  }

  #rowOf({ key, left, wrapping, under }: HeldKey): HTMLElement {
    const said = document.createElement("div");
    said.append(textIn("code", shortKey(key)));
    if (wrapping && under) {
      const values = { wrapping: wordFor(WRAPPINGS, wrapping), under: wordFor(UNDER, under) };
      const how = textIn("span", t("Came in by {wrapping}. At rest: {under}.", values));
      how.className = "meta";
      said.append(how);
    }
    return this.#rowUntil(said, performance.now() + left);
  }

  /** `end` in milliseconds of the page's steady clock. */
  #rowUntil(said: HTMLElement, end: number): HTMLElement {
    const row = document.createElement("li");
    const time = textIn("span", "");
    time.className = "left";
    this.#ends.set(time, end);
    row.append(said, time);
    return row;
  }

  #keptNow(): (KeptKey & { end: number })[] {
    const { keys, at } = this.#kept ?? { keys: [], at: 0 };
    const now = performance.now();
    return keys.map((key) => ({ ...key, end: at + key.left })).filter(({ end }) => end > now);
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
