/** The list of documents on the page: what of it is shown and in which order, what is chosen, and the ways through it by keyboard. */

import type { Account, Document } from "#web/browser/index.ts";
import type { CofferDocument } from "./document-row.ts";
import { formatBytes } from "./format.ts";
import { listKeys } from "./list-keys.ts";
import { LongList } from "./long-list.ts";
import { beginsWith, found, ORDERS, type Order, ordered } from "./order.ts";
import { element, onPress, part } from "./part.ts";
import { Selection } from "./selection.ts";
import { localeOfPage, t } from "./words.ts";

/** The search and the choice of an order appear from this many documents on. */
const SEARCHABLE = 8;
/** Between two drawings of the list that nobody waits for, milliseconds. */
const REST = 100;

export interface DeskActs {
  open(document: Document): void;
  rename(document: Document): void;
  versions(document: Document): void;
  share(documents: readonly Document[]): void;
  /** Names of the accounts that it is shared with. */
  sharedWith(document: Document): readonly string[];
  /** Whether that could not be read. */
  sharesUnknown(): boolean;
  save(documents: readonly Document[]): void;
  saveZip(documents: readonly Document[]): void;
  delete(documents: readonly Document[]): void;
}

export class Desk {
  readonly #root: ParentNode;
  readonly #acts: DeskActs;
  readonly #rows: LongList<Document>;
  readonly #selection = new Selection(() => this.#showSelection());
  #documents: readonly Document[] = [];
  #shown: readonly Document[] = [];
  /** Of accounts, where there are several. */
  #accountNames = new Map<string, string>();
  #frame: number | undefined;
  /** Until the list is put in order again, while names come in: milliseconds of a steady clock. */
  #rested = 0;
  #resting: ReturnType<typeof setTimeout> | undefined;

  constructor(root: ParentNode, acts: DeskActs) {
    this.#root = root;
    this.#acts = acts;
    const list = part(root, "documents");
    this.#rows = new LongList<Document>(list, t("Documents"), {
      key: nameOf,
      make: () => {
        const item = document.createElement("div");
        item.role = "listitem";
        item.append(document.createElement("coffer-document"));
        return item;
      },
      fill: (item, entry) => {
        const row = element<CofferDocument>(item, "coffer-document");
        row.accountName = this.#accountNames.get(entry.account) ?? "";
        row.sharedWith = acts.sharedWith(entry);
        row.document = entry;
        row.selected = this.#selection.has(nameOf(entry));
      },
    });
    part(root, "find").addEventListener("input", () => this.#showNow());
    part(root, "sort").addEventListener("change", () => this.#draw());
    list.addEventListener("coffer-pick", (event) => {
      const { row, range } = (event as CustomEvent<{ row: Document; range: boolean }>).detail;
      this.#selection.toggle(nameOf(row), range ? this.#names() : undefined);
    });
    onPress(root, "chosen-save", () => acts.save(this.#selected()));
    onPress(root, "chosen-zip", () => acts.saveZip(this.#selected()));
    onPress(root, "chosen-rename", () => this.#rename(this.#selected()));
    onPress(root, "chosen-versions", () => this.#selected().slice(0, 1).forEach(acts.versions));
    onPress(root, "chosen-share", () => acts.share(this.#selected()));
    onPress(root, "chosen-delete", () => acts.delete(this.#selected()));
    onPress(root, "chosen-none", () => {
      this.#selection.clear();
      part(root, "heading").focus();
    });
    listKeys(list, {
      count: () => this.#shown.length,
      reach: (at) => this.#rows.reach(at),
      startsWith: (typed, from) => beginsWith(this.#shown, typed, from),
      toggle: (at) => this.#toggle(at),
      extend: (from, to) => this.#selection.extend(this.#names(), from, to),
      all: () => this.#selection.all(this.#names()),
      none: () => this.#selection.clear(),
      rename: (at) => this.#rename(this.#chosenOr(at)),
      delete: (at) => acts.delete(this.#chosenOr(at)),
    });
  }

  /** Shows these, the newest first; drawn once a frame, however much has changed. */
  show(documents: readonly Document[], accounts: readonly Account[]): void {
    this.#documents = documents;
    this.#accountNames =
      accounts.length > 1 ? new Map(accounts.map(({ id, name }) => [id, name])) : new Map();
    this.#showSoon();
  }

  selectNone(): void {
    this.#selection.clear();
  }

  /** Nobody is signed in: nothing of what was shown stays. */
  clear(): void {
    this.#documents = [];
    part<HTMLInputElement>(this.#root, "find").value = "";
    this.#selection.clear();
    this.#draw();
  }

  /** To the field in which names are looked for, where there is one. */
  find(): void {
    if (!part(this.#root, "tools").hidden) part(this.#root, "find").focus();
  }

  /** While names come in, a long list is searched and sorted for a tenth of the time at most, and drawn ten times a second. */
  #showSoon(): void {
    const rest = this.#rested - performance.now();
    if (rest <= 0) this.#showNow();
    else this.#resting ??= setTimeout(() => this.#showNow(), rest);
  }

  #showNow(): void {
    this.#frame ??= requestAnimationFrame(() => this.#draw());
  }

  #draw(): void {
    if (this.#frame !== undefined) cancelAnimationFrame(this.#frame);
    clearTimeout(this.#resting);
    this.#frame = undefined;
    this.#resting = undefined;
    const begun = performance.now();
    const root = this.#root;
    const documents = this.#documents;
    const wanted = part<HTMLInputElement>(root, "find").value.trim();
    const shares = (document: Document) => this.#acts.sharedWith(document).length;
    this.#shown = ordered(found(documents, wanted), this.#order, { locale: localeOfPage(), shares });
    const now = performance.now();
    this.#rested = now + Math.max(REST, 9 * (now - begun));
    this.#selection.keep(documents, nameOf);
    this.#rows.show(this.#shown);
    part(root, "documents").hidden = this.#shown.length === 0;
    part(root, "tools").hidden = documents.length < SEARCHABLE && wanted === "" && this.#order === "newest";
    part(root, "nothing-found").hidden = wanted === "" || this.#shown.length > 0;
    if (documents.length > 0) part(root, "empty").hidden = true;
    this.#count();
  }

  #count(): void {
    let [size, named] = [0, 0];
    for (const { metadata } of this.#documents) if (metadata) named++;
    for (const { metadata, sealedSize } of this.#shown) size += metadata?.size ?? sealedSize;
    const [all, shown] = [this.#documents.length, this.#shown.length];
    const count = part(this.#root, "count");
    // For whoever measures how long all names take (bench/page.ts).
    count.dataset.named = String(named);
    const words =
      shown < all
        ? t("{shown} of {count} documents", { shown, count: all })
        : all === 1
          ? t("1 document")
          : t("{count} documents", { count: all });
    const said = [words, formatBytes(size)];
    if (this.#acts.sharesUnknown()) said.push(t("whom they are shared with could not be read"));
    count.textContent = all === 0 ? "" : said.join(" · ");
  }

  #showSelection(): void {
    const root = this.#root;
    const { size } = this.#selection;
    part(root, "chosen").hidden = size === 0;
    part(root, "documents").toggleAttribute("data-choosing", size > 0);
    part(root, "chosen-count").textContent =
      size === 1 ? t("1 selected") : t("{count} selected", { count: size });
    for (const name of ["chosen-rename", "chosen-versions"]) part(root, name).hidden = size !== 1;
    part(root, "chosen-zip").hidden = size < 2;
    for (const row of part(root, "documents").querySelectorAll<CofferDocument>("coffer-document"))
      row.selected = this.#selection.has(nameOf(row.document));
  }

  get #order(): Order {
    const { value } = part<HTMLSelectElement>(this.#root, "sort");
    return ORDERS.find((order) => order === value) ?? "newest";
  }

  #names(): string[] {
    return this.#shown.map(nameOf);
  }

  #selected(): Document[] {
    return this.#shown.filter((document) => this.#selection.has(nameOf(document)));
  }

  /** What is selected, where this row is of it; else the row alone. */
  #chosenOr(at: number): Document[] {
    const document = this.#shown[at];
    if (!document) return [];
    return this.#selection.has(nameOf(document)) ? this.#selected() : [document];
  }

  #toggle(at: number): void {
    const document = this.#shown[at];
    if (document) this.#selection.toggle(nameOf(document));
  }

  #rename(documents: readonly Document[]): void {
    const [document] = documents;
    if (document?.metadata) this.#acts.rename(document);
  }
}

/** Two accounts may have a document by one id. */
export function nameOf({ account, id }: Pick<Document, "account" | "id">): string {
  return `${account}/${id}`;
}
