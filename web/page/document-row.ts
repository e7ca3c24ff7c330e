/** `<coffer-document>`: one document of the list. Fires `coffer-open`, `coffer-save`, `coffer-delete`, `coffer-re-encrypt`, `coffer-finish`, `coffer-shared`, `coffer-pick`. */

import { CofferError, type Document, type DocumentKey } from "#web/browser/index.ts";
import { messageInWords } from "./error-words.ts";
import { formatBytes, formatKind, formatMoment } from "./format.ts";
import { nameInWords, shownName } from "./names.ts";
import { onPress, part, TemplateElement } from "./part.ts";
import { numberOf } from "./series.ts";
import { t, type Words } from "./words.ts";

const TITLES = {
  save: "Save to this device",
  delete: "Delete",
  "re-encrypt": "Seal again under a new key",
  finish: "Enter it in the index of your documents",
} as const satisfies Record<string, Words>;

const LABELS = {
  open: "Open {name}",
  save: "Save {name}",
  delete: "Delete {name}",
  "re-encrypt": "Re-encrypt {name}",
  finish: "Finish {name}",
} as const satisfies Record<string, Words>;

const ACTIONS = ["open", "save", "delete", "re-encrypt", "finish"] as const;

export class CofferDocument extends TemplateElement {
  #document: Document | undefined;
  #selected = false;
  /** What of it is shown. */
  #shown: unknown[] = [];
  /** Whose it is, where that is not plain: set before the document. */
  accountName = "";
  /** Names of the accounts that it is shared with: set before the document. */
  sharedWith: readonly string[] = [];

  get document(): Document {
    if (!this.#document) throw new Error("no document");
    return this.#document;
  }

  set document(document: Document) {
    this.#document = document;
    if (this.firstElementChild) this.#show();
  }

  set selected(selected: boolean) {
    this.#selected = selected;
    if (this.firstElementChild) this.#showSelected();
  }

  protected override ready(): void {
    for (const action of ACTIONS) onPress(this, action, () => this.#fire(action, this.document));
    onPress(this, "shared", () => this.#fire("shared", this.document));
    part(this, "pick").addEventListener("click", (event) => {
      this.#fire("pick", { row: this.document, range: (event as MouseEvent).shiftKey });
    });
    if (this.#document) this.#show();
    this.#showSelected();
  }

  #showSelected(): void {
    const selected = this.#selected;
    part<HTMLInputElement>(this, "pick").checked = selected;
    this.toggleAttribute("data-selected", selected);
  }

  #show(): void {
    const { id, metadata, created, sealedSize, error, key, state } = this.document;
    const shown = [id, metadata, error, key, state, this.accountName, ...this.sharedWith];
    // One fewer than before is another too.
    shown.push(shown.length);
    if (shown.every((value, at) => value === this.#shown[at])) return;
    this.#shown = shown;
    this.dataset.document = id;
    const name = metadata?.name ?? (error ? t("Cannot be opened") : t("Reading its name…"));
    part(this, "name").textContent = shownName(name);
    part(this, "name").title = shownName(name);
    part(this, "kind").textContent = metadata ? formatKind(metadata.name, metadata.type) : error ? "!" : "";
    this.toggleAttribute("data-broken", error !== undefined);
    const folder = part(this, "folder");
    folder.textContent = metadata?.folder ? shownName(metadata.folder).replaceAll("/", " / ") : "";
    folder.hidden = !metadata?.folder;
    const size = formatBytes(metadata?.size ?? sealedSize);
    const unfinished = state === "unfinished";
    const version = numberOf(this.document);
    part(this, "finish").hidden = !unfinished;
    this.toggleAttribute("data-unfinished", unfinished);
    part(this, "meta").textContent = error
      ? [
          error instanceof CofferError ? messageInWords(error) : t("Its name could not be read."),
          // Of what is not given nobody knows how large it is.
          state !== "hidden" && `(${size})`,
        ]
          .filter(Boolean)
          .join(" ")
      : [
          unfinished && t("Its sealing was cut off just before the end"),
          size,
          t("sealed {when}", { when: formatMoment(created) }),
          nameInWords(this.accountName),
          version > 1 && t("version {version}", { version }),
          key && wordsOf(key),
        ]
          .filter(Boolean)
          .join(" · ");
    const said = nameInWords(name);
    this.#showShared(said);
    part(this, "pick").setAttribute("aria-label", t("Select {name}", { name: said }));
    for (const action of ACTIONS) {
      const button = part<HTMLButtonElement>(this, action);
      button.setAttribute("aria-label", t(LABELS[action], { name: said }));
      if (action !== "open") button.title = t(TITLES[action]);
      button.disabled = !metadata && !(error && action === "delete");
    }
  }

  /** The others' names are in the tip, and in the panel that a press shows. */
  #showShared(said: string): void {
    const [first, ...others] = this.sharedWith.map((account) => nameInWords(account));
    const button = part(this, "shared");
    button.hidden = first === undefined;
    if (first === undefined) return;
    const words =
      others.length === 0
        ? t("shared with {account}", { account: first })
        : t("shared with {count} accounts", { count: others.length + 1 });
    button.textContent = words;
    button.title = others.length === 0 ? "" : [first, ...others].join(", ");
    button.setAttribute("aria-label", `${words}: ${said}`);
  }

  #fire(action: (typeof ACTIONS)[number] | "shared" | "pick", detail: unknown): void {
    this.dispatchEvent(new CustomEvent(`coffer-${action}`, { bubbles: true, detail }));
  }
}

/** A key that was never replaced goes without saying. */
function wordsOf({ version, accountKeyVersion }: DocumentKey): string {
  const own = version > 1 ? t("key {version}", { version }) : "";
  const above = accountKeyVersion > 1 ? t("account key {version}", { version: accountKeyVersion }) : "";
  return [own, above].filter((words) => words !== "").join(", ");
}
