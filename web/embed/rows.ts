/** The rows of the element's list: one that shows what it did stays as it is. */

import type { Document } from "#web/browser/index.ts";
import { row } from "./parts.ts";

export interface RowActs {
  open(document: Document): void;
  remove(document: Document): void;
}

type Row = { item: HTMLLIElement; shown: unknown[] };

export class Rows {
  readonly #acts: RowActs;
  #rows = new Map<string, Row>();

  constructor(acts: RowActs) {
    this.#acts = acts;
  }

  /** `removes`: whether each can be deleted here. */
  show(list: HTMLElement, documents: readonly Document[], removes: boolean): void {
    const rows = new Map<string, Row>();
    for (const document of documents) {
      const { id, account, metadata, error } = document;
      const name = `${account}/${id}`;
      const shown = [document, metadata, error, removes];
      const known = this.#rows.get(name);
      const same = known?.shown.every((value, at) => value === shown[at]);
      rows.set(name, known && same ? known : { item: this.#row(document, removes), shown });
    }
    // Those that stay are not touched: whoever works with one by keyboard keeps it.
    for (const [name, { item }] of this.#rows) if (rows.get(name)?.item !== item) item.remove();
    let at = list.firstElementChild;
    for (const { item } of rows.values()) {
      if (item === at) at = at.nextElementSibling;
      else list.insertBefore(item, at);
    }
    this.#rows = rows;
  }

  #row(document: Document, removes: boolean): HTMLLIElement {
    return row(document, {
      open: () => this.#acts.open(document),
      ...(removes && { remove: () => this.#acts.remove(document) }),
    });
  }
}
