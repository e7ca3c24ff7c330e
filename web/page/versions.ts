/**
 * `<coffer-versions>`: the versions of a document, the newest first; to look at one, to save it to the device, to delete an earlier one. Fires
 * `coffer-replace` with a file that is to be the next one, `coffer-revert` with the one that is to be the newest, `coffer-open` and `coffer-changed`.
 */

import type { Document } from "#web/browser/index.ts";
import type { CofferConfirm } from "./confirm.ts";
import { formatBytes, formatMoment } from "./format.ts";
import { nameInWords, shownName } from "./names.ts";
import { PanelElement } from "./panel.ts";
import { panelRow, type RowButton, rowButton } from "./panel-row.ts";
import { element, onPress, part } from "./part.ts";
import { chooseTarget } from "./save.ts";
import { numberOf } from "./series.ts";
import { t } from "./words.ts";

export class CofferVersions extends PanelElement {
  protected override readonly sentences = {
    "not-found": "It is not there any more: somebody has deleted it, or saved another version.",
    forbidden: "Readers save and delete no versions.",
  } as const;
  #document: Document | undefined;
  /** Ids of the versions that stand there. */
  #shown = "";

  protected override ready(): void {
    super.ready();
    onPress(this, "another", () => this.#another());
  }

  /** Shows the versions of this document. */
  async showFor(document: Document): Promise<void> {
    const shown = this.show();
    this.#document = document;
    part(this, "name").textContent = shownName(document.metadata?.name ?? "");
    // What the list knows stands there at once.
    this.#draw([document, ...(document.earlier ?? [])]);
    await shown;
  }

  protected override clear(): void {
    this.#document = undefined;
    this.#shown = "";
    part(this, "name").textContent = "";
    part(this, "list").replaceChildren();
  }

  protected override async read(): Promise<void> {
    const document = this.#document;
    if (!document) return;
    const { id, account } = document;
    await this.latest(
      () => this.coffer.versions((versions) => versions.list(id, { account })),
      (all) => {
        this.#draw(all);
        // The list shows one that is not the newest any more.
        if (all[0]?.id !== id) this.changed();
      },
    );
  }

  /** The newest of what stands there is the document. What stands there already stays, for whoever is just about to press something in it. */
  #draw(versions: readonly Document[]): void {
    const [newest, ...earlier] = versions;
    if (newest) this.#document = { ...newest, earlier };
    const shown = versions.map(({ id }) => id).join(" ");
    if (shown === this.#shown) return;
    this.#shown = shown;
    part(this, "list").replaceChildren(...versions.map((version, at) => this.#row(version, at === 0)));
  }

  #row(document: Document, newest: boolean): HTMLElement {
    const { created, metadata, sealedSize } = document;
    const version = numberOf(document);
    const buttons: RowButton[] = [
      {
        label: t("Open"),
        name: t("Open version {version}", { version }),
        run: async () => this.#fire("open", document),
      },
      { label: t("Save"), name: t("Save version {version}", { version }), run: () => this.#save(document) },
    ];
    if (!newest)
      buttons.push(
        {
          label: t("Make newest"),
          name: t("Make newest: version {version}", { version }),
          run: async () => this.#leave("revert", { document: this.#document, version: document }),
        },
        {
          label: t("Delete…"),
          name: t("Delete version {version}", { version }),
          run: () => this.#remove(document),
        },
      );
    const words = [
      t("sealed {when}", { when: formatMoment(created) }),
      formatBytes(metadata?.size ?? sealedSize),
    ].join(" · ");
    const what = newest
      ? t("Version {version}, the newest", { version })
      : t("Version {version}", { version });
    const row = panelRow(what, words);
    const actions = globalThis.document.createElement("div");
    actions.className = "actions";
    actions.append(...buttons.map(rowButton));
    row.append(actions);
    return row;
  }

  #another(): void {
    const document = this.#document;
    if (!document) return;
    const input = globalThis.document.createElement("input");
    input.type = "file";
    input.addEventListener("change", () => {
      const [file] = input.files ?? [];
      if (file) this.#leave("replace", { document, file });
    });
    input.click();
  }

  /** The page shows how far it is. */
  #leave(what: "replace" | "revert", detail: object): void {
    this.dialog.close();
    this.#fire(what, detail);
  }

  #fire(what: string, detail: unknown): void {
    this.dispatchEvent(new CustomEvent(`coffer-${what}`, { bubbles: true, detail }));
  }

  async #save({ id, account, metadata }: Document): Promise<void> {
    if (!metadata) return;
    const done = await this.attempt(async () => {
      // Asked first: browsers allow the question only as a direct answer to a press.
      const target = await chooseTarget(metadata.name, metadata.size);
      await target(await this.coffer.open(id, { account }), new AbortController().signal);
    });
    if (done) this.say(t("{name} is saved.", { name: nameInWords(metadata.name) }));
  }

  async #remove(document: Document): Promise<void> {
    const version = numberOf(document);
    const question = {
      ...{ title: t("Delete this version for good?"), name: t("Version {version}", { version }) },
      ...{ text: t("cannot be brought back then. The others stay."), yes: t("Delete"), no: t("Keep it") },
    };
    if (!(await element<CofferConfirm>(globalThis.document, "coffer-confirm").ask(question))) return;
    const { id, account } = document;
    this.overtake();
    const done = await this.attempt(async () => {
      await this.coffer.remove(id, { account });
      await this.read();
    });
    if (!done) return;
    this.say(t("Version {version} is deleted for good.", { version }));
    // The row that had the focus is gone.
    part(this, "close").focus();
    this.changed();
  }
}
