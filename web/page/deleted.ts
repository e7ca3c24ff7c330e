/** `<coffer-deleted>`: documents that were deleted and can be brought back for some days. Fires `coffer-changed` when one was. */

import type { Document } from "#web/browser/index.ts";
import type { CofferConfirm } from "./confirm.ts";
import { nameOf as placeOf } from "./desk.ts";
import { formatBytes, formatDay } from "./format.ts";
import { LongList } from "./long-list.ts";
import { nameInWords, shownName } from "./names.ts";
import { PanelElement } from "./panel.ts";
import { rowButton } from "./panel-row.ts";
import { element, part } from "./part.ts";
import { t } from "./words.ts";

export class CofferDeleted extends PanelElement {
  protected override readonly sentences = {
    "not-found": "It is no longer there: it expired, or someone else restored or deleted it.",
    forbidden: "Readers cannot restore or delete documents.",
  } as const;
  #documents: Document[] = [];
  #list!: LongList<Document>;
  /** What a row shows. */
  readonly #filled = new WeakMap<HTMLElement, Document>();

  protected override ready(): void {
    super.ready();
    // Whoever keeps what is deleted for long has thousands.
    this.#list = new LongList<Document>(
      part(this, "list"),
      t("Deleted documents"),
      { key: placeOf, make: () => this.#row(), fill: (row, document) => this.#fill(row, document) },
      { scrolls: true },
    );
  }

  protected override clear(): void {
    this.#show([]);
    part(this, "none").hidden = true;
  }

  protected override async read(): Promise<void> {
    await this.latest(
      () => this.coffer.list({ deleted: true }),
      (documents) => this.#show(documents),
    );
  }

  #show(documents: Document[]): void {
    this.#documents = documents;
    this.#list.show(documents);
    part(this, "none").hidden = documents.length > 0;
  }

  #row(): HTMLElement {
    const row = make("div", "");
    row.role = "listitem";
    return row;
  }

  #fill(row: HTMLElement, document: Document): void {
    if (this.#filled.get(row) === document) return;
    this.#filled.set(row, document);
    const { metadata, sealedSize, ends, account } = document;
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
    const restore = () => this.#restore(document);
    const remove = () => this.#remove(document);
    actions.append(
      rowButton({ label: t("Restore"), name: t("Restore {name}", said), run: restore }),
      rowButton({ label: t("Delete for good"), name: t("Delete for good: {name}", said), run: remove }),
    );
    row.replaceChildren(about, actions);
  }

  async #restore(document: Document): Promise<void> {
    const { id, account } = document;
    if (!(await this.#without(document, () => this.coffer.restore(id, { account, among: [document] }))))
      return;
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
    this.#show(this.#documents.filter((each) => each !== document));
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
