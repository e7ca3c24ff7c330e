/** `<coffer-sharing>`: whom a document is shared with, and what others have shared; for one more, for the end of one, and to save what came. Fires `coffer-share`, `coffer-shares`. */

import type { Document, ReceivedDocument, Share } from "#web/browser/index.ts";
import type { CofferConfirm } from "./confirm.ts";
import { nameOf } from "./desk.ts";
import { formatMoment, formatNumber } from "./format.ts";
import { nameInWords } from "./names.ts";
import { PanelElement } from "./panel.ts";
import { panelRow, type RowButton } from "./panel-row.ts";
import { element, onPress, part } from "./part.ts";
import { chooseTarget } from "./save.ts";
import { SHARING } from "./sharing-words.ts";
import { t } from "./words.ts";

const DAY_MS = 24 * 3600_000;

/** Of `coffer-share`: several documents are to be shared with the account of this id. */
export type SeveralShared = { documents: readonly Document[]; to: string; expires: Date };
/** Of `coffer-shares`: whom documents of an account are shared with, all that there are, and the number of the question. */
export type SharesRead = { account: string; given: readonly Share[]; asked: number };

export class CofferSharing extends PanelElement {
  protected override readonly sentences = SHARING;
  /** The documents that are to be shared. */
  #documents: readonly Document[] = [];
  /** Of the documents of the page's list, by `nameOf` of the desk. */
  names: () => ReadonlyMap<string, string | undefined> = () => new Map();
  /** Numbers a question for whom documents are shared with. */
  ask: () => number = () => 0;

  protected override ready(): void {
    super.ready();
    part(this, "share").addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#share();
    });
    onPress(this, "copy", () => void this.#copy());
  }

  /** Shows the panel with what it takes to share these documents. */
  async showFor(documents: readonly Document[]): Promise<void> {
    const [first] = documents;
    if (!first) return;
    this.account = first.account;
    const shown = this.show();
    this.#documents = documents;
    this.#offer();
    part(this, "to").focus();
    await shown;
  }

  protected override clear(): void {
    this.#documents = [];
    this.#offer();
    element<HTMLFormElement>(this, "form").reset();
    for (const name of ["given", "received"]) part(this, name).replaceChildren();
    part(this, "own").textContent = "";
  }

  protected override async read(): Promise<void> {
    const { account } = this;
    part(this, "own").textContent = account;
    this.#offer();
    if (account === "") return;
    const asked = this.ask();
    await this.latest(
      () =>
        this.coffer.sharing(async (sharing) => ({
          given: await sharing.shares({ account }),
          received: await sharing.received(),
        })),
      ({ given, received }) => {
        this.#fire("coffer-shares", { account, given, asked });
        const names = this.names();
        const nameIn = (id: string) => names.get(nameOf({ account, id })) ?? id;
        this.#draw("given", given, (share) => this.#given(share, nameIn(share.document)));
        this.#draw("received", received, (document) => this.#received(document));
      },
    );
  }

  #offer(): void {
    // Of the account that is shown alone.
    const [first, ...others] = this.#documents[0]?.account === this.account ? this.#documents : [];
    part(this, "share").hidden = first === undefined;
    const several = others.length > 0;
    part(this, "share-one").hidden = several;
    part(this, "share-several").hidden = !several;
    const count = formatNumber(others.length + 1);
    part(this, "name").textContent = several
      ? t("{count} documents", { count })
      : nameInWords(first?.metadata?.name ?? "");
  }

  #draw<T>(name: "given" | "received", all: readonly T[], row: (one: T) => HTMLElement): void {
    part(this, `no-${name}`).hidden = all.length > 0;
    part(this, name).replaceChildren(...all.map(row));
  }

  #given(share: Share, document: string): HTMLElement {
    const { to, expires } = share;
    const name = nameInWords(document);
    const about = t("with {account}, until {when}", {
      account: nameInWords(to.name),
      when: formatMoment(expires),
    });
    return panelRow(name, about, {
      label: t("Withdraw…"),
      name: t("Withdraw {name} from {account}", { name, account: nameInWords(to.name) }),
      run: () => this.#withdraw(share, name),
    });
  }

  #received(document: ReceivedDocument): HTMLElement {
    const { from, expires, metadata } = document;
    const name = nameInWords(metadata?.name ?? t("A document that cannot be opened"));
    const values = { account: nameInWords(from.name), when: formatMoment(expires) };
    const about = t("shared by {account}, until {when}", values);
    const buttons: RowButton[] = [
      {
        label: t("Remove"),
        name: t("Remove {name} from the list", { name }),
        run: () => this.#decline(document, name),
      },
    ];
    if (metadata)
      buttons.unshift({
        label: t("Save"),
        name: t("Save {name}", { name }),
        run: () => this.#save(document, name),
      });
    const row = panelRow(name, about, ...buttons);
    row.dataset.received = document.share;
    return row;
  }

  async #share(): Promise<void> {
    const documents = this.#documents;
    const [document] = documents;
    if (!document) return;
    const field = part<HTMLInputElement>(this, "to");
    const to = field.value.trim();
    const days = Number(part<HTMLSelectElement>(this, "days").value);
    const expires = new Date(Date.now() + days * DAY_MS);
    if (documents.length > 1) {
      // How far it is stands in a row of the page.
      this.dialog.close();
      this.#fire("coffer-share", { documents, to, expires });
      return;
    }
    const { id, account } = document;
    let shared: Share | undefined;
    const done = await this.#change(async () => {
      shared = await this.coffer.sharing((sharing) => sharing.share(id, to, { account, expires }));
    });
    if (done && shared) {
      field.value = "";
      this.say(t("{account} may open it now.", { account: nameInWords(shared.to.name) }));
    }
    field.focus();
  }

  async #withdraw(share: Share, name: string): Promise<void> {
    const question = {
      ...{ title: t("Withdraw this document?"), name, yes: t("Withdraw"), no: t("Cancel") },
      text: t(
        "is not given to the other account from then on. A key that one of its devices has loaded ends within the hour; what they have saved is theirs.",
      ),
    };
    if (!(await element<CofferConfirm>(document, "coffer-confirm").ask(question))) return;
    const { account } = this;
    if (!(await this.#change(() => this.coffer.sharing((sharing) => sharing.withdraw(share, account)))))
      return;
    this.say(t("It is not shared any more."));
    part(this, "close").focus();
  }

  async #decline(received: ReceivedDocument, name: string): Promise<void> {
    if (!(await this.#change(() => this.coffer.sharing((sharing) => sharing.decline(received))))) return;
    this.say(t("{name} is off the list.", { name }));
    part(this, "close").focus();
  }

  async #save(received: ReceivedDocument, name: string): Promise<void> {
    const { metadata } = received;
    if (!metadata) return;
    const done = await this.attempt(async () => {
      // Asked first: browsers allow the question only as a direct answer to a press.
      const target = await chooseTarget(metadata.name, metadata.size);
      const { signal } = new AbortController();
      await target(await this.coffer.sharing((sharing) => sharing.open(received)), signal);
    });
    if (done) this.say(t("{name} is saved.", { name }));
  }

  async #copy(): Promise<void> {
    const done = await this.attempt(() => navigator.clipboard.writeText(this.account));
    if (done) this.say(t("The account's id is copied."));
  }

  #fire(name: "coffer-share" | "coffer-shares", detail: SeveralShared | SharesRead): void {
    this.dispatchEvent(new CustomEvent(name, { bubbles: true, detail }));
  }

  async #change(work: () => Promise<void>): Promise<boolean> {
    this.overtake();
    return this.attempt(async () => {
      await work();
      await this.read();
    });
  }
}
