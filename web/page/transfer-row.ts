/** `<coffer-transfer>`: one transfer under way, with what it is doing, its bytes and the time left. */

import { CofferError, type Progress } from "#web/browser/index.ts";
import type { Link } from "./chain.ts";
import { messageInWords } from "./error-words.ts";
import { formatBytes, formatKind, formatLeft, formatNumber, formatSpeed, formatWait } from "./format.ts";
import { nameInWords, shownName } from "./names.ts";
import { Pace } from "./pace.ts";
import { onPress, part, TemplateElement, textIn } from "./part.ts";
import { t, type Words } from "./words.ts";

/** What a transfer does. `all`: it stands for several others. */
export type Direction = "seal" | "save" | "delete" | "restore" | "share" | "all";

/** How far a lot of documents is. `bytes` and `total` where they are what takes the time. */
export type Counted = {
  step: "deleting" | "restoring" | "saving" | "sealing" | "sharing";
  done: number;
  count: number;
  bytes?: number;
  total?: number;
};

/** A document with which it did not go, and why. */
export type Failed = { name: string; words: string };

/** Documents whose failures are told one by one. */
const MOST = 50;

const STEPS: Record<Progress["step"] | "waiting", (direction: Direction) => Words> = {
  waiting: () => "Waiting…",
  key: (direction) =>
    direction === "seal" ? "Making a key in the key store…" : "Getting its key from the key store…",
  sealing: () => "Sealing…",
  opening: () => "Opening…",
  finishing: () => "Sealing its name…",
};

const COUNTS = {
  deleting: "{done} of {count} deleted",
  restoring: "{done} of {count} restored",
  saving: "{done} of {count} saved",
  sealing: "{done} of {count} sealed",
  sharing: "{done} of {count} shared",
} as const satisfies Record<Counted["step"], Words>;

const BARS = {
  seal: "Sealing {name}",
  save: "Opening {name}",
  delete: "Deleting {name}",
  restore: "Restoring {name}",
  share: "Sharing {name}",
  all: "Progress of {name}",
} as const satisfies Record<Direction, Words>;

/** How it can be gone on with, and taken away. */
const AGAIN = {
  again: { words: "Try again", label: "Try again: {name}" },
  on: { words: "Go on", label: "Go on: {name}" },
  choose: { words: "Choose file…", label: "Choose file: {name}" },
} as const satisfies Record<string, Record<"words" | "label", Words>>;
const AWAY = {
  dismiss: { words: "Dismiss", label: "Dismiss {name}" },
  remove: { words: "Remove", label: "Remove {name}" },
} as const satisfies Record<string, Record<"words" | "label", Words>>;

type TransferStep = Progress["step"] | Counted["step"] | "waiting";

/** The links of the chain that a step keeps at work. */
export const LINKS: Record<TransferStep, Link[]> = {
  waiting: [],
  key: ["vault", "edge", "hsm"],
  sealing: ["page", "vault", "edge"],
  opening: ["page", "vault", "edge"],
  finishing: ["vault", "edge"],
  deleting: ["page", "edge"],
  restoring: ["page", "vault", "edge"],
  saving: ["page", "vault", "edge"],
  sharing: ["page", "edge", "hsm"],
};

export class CofferTransfer extends TemplateElement {
  readonly #pace = new Pace();
  #step: TransferStep = "waiting";
  #direction: Direction = "seal";
  #settled = false;
  #name = "";
  #pausable = false;
  /** Called when the person cancels or takes a failed one away. */
  onCancel: () => void = () => {};
  onRetry: () => void = () => {};
  onPause: () => void = () => {};

  protected override ready(): void {
    onPress(this, "cancel", () => this.onCancel());
    onPress(this, "retry", () => this.onRetry());
    onPress(this, "pause", () => this.onPause());
  }

  /** The links of the chain that it keeps at work. */
  get working(): Link[] {
    return this.#settled ? [] : LINKS[this.#step];
  }

  /** Shows a transfer that waits for its turn. */
  begin(
    direction: Direction,
    name: string,
    type: string,
    { pausable = false, kind = formatKind(name, type) } = {},
  ): void {
    this.#direction = direction;
    this.#pausable = pausable;
    const said = { name: nameInWords(name) };
    part(this, "name").textContent = shownName(name);
    this.#name = said.name;
    part(this, "kind").textContent = kind;
    part(this, "bar").setAttribute("aria-label", t(BARS[direction], said));
    part(this, "cancel").setAttribute("aria-label", t("Cancel {name}", said));
    part(this, "retry").setAttribute("aria-label", t("Try again: {name}", said));
    part(this, "pause").setAttribute("aria-label", t("Pause {name}", said));
    part(this, "meta").textContent = t(STEPS.waiting(direction));
    part<HTMLProgressElement>(this, "bar").value = 0;
  }

  /** Shows how far it is. `time` in milliseconds of a steady clock. */
  progress(progress: Progress | Counted, time: number): void {
    this.#step = progress.step;
    if ("count" in progress) {
      this.#count(progress, time);
      return;
    }
    const { step, bytes, total } = progress;
    const bar = part<HTMLProgressElement>(this, "bar");
    const moving = step === "sealing" || step === "opening";
    part(this, "pause").hidden = !(this.#pausable && step === "sealing");
    const doing = t(STEPS[step](this.#direction));
    const words = [doing];
    if (moving && total) {
      bar.max = total;
      bar.value = bytes;
      const far = { bytes: formatBytes(bytes), total: formatBytes(total) };
      words[0] =
        step === "sealing" ? t("Sealing {bytes} of {total}", far) : t("Opening {bytes} of {total}", far);
      const left = this.#pace.left(bytes, total, time);
      if (bytes < total) words.push(...paceInWords(this.#pace.rate, left));
    } else if (step === "finishing") {
      bar.max = 1;
      bar.value = 1;
    } else {
      // Without a value the bar shows that something goes on, and not how far.
      bar.removeAttribute("value");
    }
    part(this, "meta").textContent = words.join(" · ");
  }

  /** Shows how far several others are together. Bytes, bytes a second, and seconds. */
  sum({
    bytes,
    total,
    rate,
    left,
  }: {
    bytes: number;
    total: number;
    rate: number | undefined;
    left: number | undefined;
  }): void {
    const bar = part<HTMLProgressElement>(this, "bar");
    bar.max = total || 1;
    bar.value = bytes;
    const far = t("{bytes} of {total}", { bytes: formatBytes(bytes), total: formatBytes(total) });
    part(this, "meta").textContent = [far, ...paceInWords(rate, left)].join(" · ");
  }

  #count({ step, done, count, bytes, total }: Counted, time: number): void {
    const bar = part<HTMLProgressElement>(this, "bar");
    const [far, all] = [bytes ?? done, total ?? count];
    bar.max = all || 1;
    bar.value = far;
    const words: string[] = [t(COUNTS[step], { done: formatNumber(done), count: formatNumber(count) })];
    const left = this.#pace.left(far, all, time);
    // Documents are no bytes: how fast they go is said by no unit.
    const rate = bytes === undefined ? undefined : this.#pace.rate;
    if (done < count) words.push(...paceInWords(rate, left));
    part(this, "meta").textContent = words.join(" · ");
  }

  /** Whether a press can still end something of it. */
  set cancellable(can: boolean) {
    part(this, "cancel").hidden = !can;
  }

  /** Shows that the server asked to come later, until there is progress again. */
  wait(milliseconds: number): void {
    if (!this.#settled && this.#step !== "waiting") part(this, "meta").textContent = formatWait(milliseconds);
  }

  /** Shows why it failed, with a way to try again. */
  fail(error: unknown, again: boolean, words = messageInWords(error), each: readonly Failed[] = []): void {
    this.toggleAttribute("data-failed", true);
    part(this, "bar").hidden = true;
    part(this, "meta").setAttribute("role", "alert");
    if (error instanceof CofferError) this.dataset.code = error.code;
    const rows = each.slice(0, MOST).map(({ name, words }) => {
      const item = textIn("li", ` ${words}`);
      item.prepend(textIn("bdi", shownName(name)));
      return item;
    });
    if (each.length > MOST)
      rows.push(textIn("li", t("and {count} more", { count: formatNumber(each.length - MOST) })));
    part(this, "each").replaceChildren(...rows);
    part(this, "each").hidden = rows.length === 0;
    this.#settle(words, { again: again ? "again" : undefined, away: "dismiss" });
  }

  /** Shows that it was paused, by the person. */
  pause(): void {
    this.#settle(t("Paused. What was sent is kept for a day."), { again: "on", away: "remove" });
  }

  /** Shows an upload of before that can be gone on with. `sent` and `total` in bytes. */
  stopped({ sent, total, again }: { sent: number; total: number; again: "on" | "choose" }): void {
    const bar = part<HTMLProgressElement>(this, "bar");
    bar.max = total;
    bar.value = Math.min(sent, total);
    const far = { bytes: formatBytes(Math.min(sent, total)), total: formatBytes(total) };
    const said =
      again === "on"
        ? t("Stopped at {bytes} of {total}.", far)
        : t("Stopped at {bytes} of {total}. Choose the file again to go on.", far);
    this.#settle(said, { again, away: "remove" });
  }

  /** It is at rest: what can be done now. */
  #settle(
    said: string,
    { again, away }: { again: keyof typeof AGAIN | undefined; away: keyof typeof AWAY },
  ): void {
    this.#settled = true;
    part(this, "meta").textContent = said;
    part(this, "pause").hidden = true;
    const retry = part(this, "retry");
    retry.hidden = again === undefined;
    const name = this.#name;
    if (again !== undefined) {
      retry.textContent = t(AGAIN[again].words);
      retry.setAttribute("aria-label", t(AGAIN[again].label, { name }));
    }
    const cancel = part(this, "cancel");
    cancel.textContent = t(AWAY[away].words);
    cancel.setAttribute("aria-label", t(AWAY[away].label, { name }));
  }
}

/** How fast, and for how long still, as far as either is known. */
function paceInWords(rate: number | undefined, left: number | undefined): string[] {
  const said = [rate !== undefined && formatSpeed(rate), left !== undefined && formatLeft(left)];
  return said.filter((words) => typeof words === "string");
}
