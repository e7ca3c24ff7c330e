/** `<coffer-queued>`: a document that waits for the network. What it can do is told to the list that it is in (queued.ts). */

import { CofferError, type Queued } from "#web/browser/index.ts";
import { messageInWords } from "./error-words.ts";
import { formatBytes, formatKind, formatMoment } from "./format.ts";
import { nameInWords, shownName } from "./names.ts";
import { onPress, part, TemplateElement } from "./part.ts";
import { t, type Words } from "./words.ts";

const LABELS = {
  open: "Open {name}",
  save: "Save {name}",
  retry: "Try again: {name}",
  cancel: "Cancel {name}",
} as const satisfies Record<string, Words>;

type Act = keyof typeof LABELS;
const ACTS = ["open", "save", "retry", "cancel"] as const satisfies Act[];

export class CofferQueued extends TemplateElement {
  #upload: Queued | undefined;
  onAct: (act: Act) => void = () => {};

  protected override ready(): void {
    for (const act of ACTS) onPress(this, act, () => this.onAct(act));
    if (this.#upload) this.#show(this.#upload);
  }

  set upload(upload: Queued) {
    this.#upload = upload;
    if (this.firstElementChild) this.#show(upload);
  }

  #show({ metadata, size, sent, sending, created, refused }: Queued): void {
    const name = metadata?.name ?? t("A document whose name cannot be read now");
    part(this, "name").textContent = shownName(name);
    part(this, "kind").textContent = metadata ? formatKind(metadata.name, metadata.type) : "";
    const bar = part<HTMLProgressElement>(this, "bar");
    bar.hidden = !sending;
    bar.max = size;
    // Without a value the bar shows that something goes on, and not how far.
    if (sent > 0) bar.value = sent;
    else bar.removeAttribute("value");
    this.toggleAttribute("data-failed", refused !== undefined);
    part(this, "meta").textContent = [
      refused
        ? messageInWords(new CofferError(refused))
        : sending
          ? t("Sending…")
          : t("Waits for the network"),
      formatBytes(metadata?.size ?? size),
      t("sealed {when}", { when: formatMoment(created) }),
    ].join(" · ");
    const said = { name: nameInWords(name) };
    for (const act of ACTS) part(this, act).setAttribute("aria-label", t(LABELS[act], said));
    bar.setAttribute("aria-label", t("Sending {name}", said));
    part(this, "save").title = t("Save to this device");
    // A browser may say that there is no network where there is one. Who goes by keyboard keeps the button that they have pressed.
    const retry = part(this, "retry");
    retry.hidden = sending && retry !== document.activeElement;
    for (const act of ["open", "save"] as const) part<HTMLButtonElement>(this, act).disabled = !metadata;
  }
}
