/** `<coffer-deleted>`: documents that were deleted and can be brought back for some days. Fires `coffer-changed` when one was. */

import type { Document } from "#web/browser/index.ts";
import type { CofferConfirm } from "./confirm.ts";
import { formatBytes, formatDay } from "./format.ts";
import { nameInWords, shownName } from "./names.ts";
import { PanelElement } from "./panel.ts";
import { element, part } from "./part.ts";
import { t } from "./words.ts";

export class CofferDeleted extends PanelElement {
  protected override readonly sentences = {
    "not-found": "It is no longer there: it expired, or someone else restored or deleted it.",
    forbidden: "Readers cannot restore or delete documents.",
  } as const;
  readonly #rows = new Map<Document, HTMLElement>();

  protected override clear(): void {
    this.#rows.clear();
    part(this, "list").replaceChildren();
    part(this, "none").hidden = true;
  }

  protected override async read(): Promise<void> {
    await this.latest(
      () => this.coffer.list({ deleted: true }),
      (documents) => this.#draw(documents),
    );
  }

  #draw(documents: Document[]): void {
    this.#rows.clear();
    for (const document of documents) this.#rows.set(document, this.#row(document));
    part(this, "none").hidden = documents.length > 0;
    part(this, "list").replaceChildren(...this.#rows.values());
  }

  #row(document: Document): HTMLElement {
    const { metadata, sealedSize, ends, account } = document;
    const item = globalThis.document.createElement("li");
    const about = make("div", "about");
    const name = make("bdi", "name", shownName(nameOf(document)));
    const accounts = this.coffer.identity?.accounts ?? [];
    const owner = accounts.length > 1 ? accounts.find(({ id }) => id === account)?.name : undefined;
    const words = [
      formatBytes(metadata?.size ?? sealedSize),
      ends && t("until {day}", { day: formatDay(ends) }),
      owner && nameInWords(owner),
    ];
    about.append(name, make("span", "meta", words.filter(Boolean).join(" · ")));
    const actions = make("div", "actions");
    const said = { name: nameInWords(nameOf(document)) };
    actions.append(
      button(t("Restore"), t("Restore {name}", said), () => this.#restore(document)),
      button(t("Delete for good"), t("Delete for good: {name}", said), () => this.#remove(document)),
    );
    item.append(about, actions);
    return item;
  }

  async #restore(document: Document): Promise<void> {
    const { id, account } = document;
    if (!(await this.#without(document, () => this.coffer.restore(id, { account })))) return;
    this.say(t("{name} is back among your documents.", { name: nameInWords(nameOf(document)) }));
    this.changed();
  }

  async #remove(document: Document): Promise<void> {
    const question = {
      ...{ title: t("Delete this document for good?"), name: nameOf(document) },
      ...{ text: t("cannot be brought back then."), yes: t("Delete"), no: t("Keep it") },
    };
    if (!(await element<CofferConfirm>(globalThis.document, "coffer-confirm").ask(question))) return;
    const { id, account } = document;
    if (!(await this.#without(document, () => this.coffer.remove(id, { account })))) return;
    this.say(t("{name} is deleted for good.", { name: nameInWords(nameOf(document)) }));
  }

  /** What was done with it takes it out of this list; the button that had the focus is gone with it. */
  async #without(document: Document, work: () => Promise<void>): Promise<boolean> {
    this.overtake();
    const done = await this.attempt(work);
    if (!done) return false;
    this.#rows.get(document)?.remove();
    this.#rows.delete(document);
    part(this, "none").hidden = this.#rows.size > 0;
    part(this, "close").focus();
    return true;
  }
}

function nameOf({ metadata }: Document): string {
  return metadata?.name ?? t("A document without a name here");
}

function make(name: "div" | "bdi" | "span", className: string, text = ""): HTMLElement {
  const made = document.createElement(name);
  made.className = className;
  made.textContent = text;
  return made;
}

function button(words: string, label: string, press: () => Promise<void>): HTMLElement {
  const made = document.createElement("button");
  made.type = "button";
  made.className = "quiet";
  made.textContent = words;
  made.setAttribute("aria-label", label);
  made.addEventListener("click", () => void press());
  return made;
}
