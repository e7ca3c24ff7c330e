/** `<coffer-document>`: one document of the list. Fires `coffer-open`, `coffer-save`, `coffer-delete`, `coffer-re-encrypt`. */

import { CofferError, type Document, type DocumentKey } from "#web/browser/index.ts";
import { formatBytes, formatKind, formatMoment } from "./format.ts";
import { onPress, part, TemplateElement } from "./part.ts";

const TITLES = { save: "Save to this device", delete: "Delete", "re-encrypt": "Seal again under a new key" };

export class CofferDocument extends TemplateElement {
  #document: Document | undefined;
  /** What of it is shown. */
  #shown: unknown[] = [];
  /** Whose it is, where that is not plain: set before the document. */
  accountName = "";

  get document(): Document {
    if (!this.#document) throw new Error("no document");
    return this.#document;
  }

  set document(document: Document) {
    this.#document = document;
    if (this.firstElementChild) this.#show();
  }

  protected override ready(): void {
    for (const action of ["open", "save", "delete", "re-encrypt"]) {
      onPress(this, action, () =>
        this.dispatchEvent(new CustomEvent(`coffer-${action}`, { bubbles: true, detail: this.document })),
      );
    }
    if (this.#document) this.#show();
  }

  #show(): void {
    const { id, metadata, created, sealedSize, error, key } = this.document;
    const shown = [id, metadata, error, key, this.accountName];
    if (shown.every((value, at) => value === this.#shown[at])) return;
    this.#shown = shown;
    this.dataset.document = id;
    const name = metadata?.name ?? (error ? "Cannot be opened" : "Reading its name…");
    part(this, "name").textContent = name;
    part(this, "kind").textContent = metadata ? formatKind(metadata.name, metadata.type) : error ? "!" : "";
    this.toggleAttribute("data-broken", error !== undefined);
    const meta = part(this, "meta");
    const size = formatBytes(metadata?.size ?? sealedSize);
    meta.textContent = error
      ? `${error instanceof CofferError ? error.message : "Its name could not be read."} (${size})`
      : [size, `sealed ${formatMoment(created)}`, this.accountName, key && wordsOf(key)]
          .filter(Boolean)
          .join(" · ");
    for (const [action, verb] of [
      ["open", "Open"],
      ["save", "Save"],
      ["delete", "Delete"],
      ["re-encrypt", "Re-encrypt"],
    ] as const) {
      const button = part<HTMLButtonElement>(this, action);
      button.setAttribute("aria-label", `${verb} ${name}`);
      if (action !== "open") button.title = TITLES[action];
      button.disabled = !metadata && !(error && action === "delete");
    }
  }
}

/** A key that was never replaced goes without saying. */
function wordsOf({ version, accountKeyVersion }: DocumentKey): string {
  const own = version > 1 ? `key ${version}` : "";
  const above = accountKeyVersion > 1 ? `account key ${accountKeyVersion}` : "";
  return [own, above].filter((words) => words !== "").join(", ");
}
