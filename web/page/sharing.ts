/** `<coffer-sharing>`: whom a document is shared with, and what others have shared; for one more, for the end of one, and to save what came. */

import type { Document, ReceivedDocument, Share } from "#web/browser/index.ts";
import type { CofferConfirm } from "./confirm.ts";
import { nameOf } from "./desk.ts";
import { formatMoment } from "./format.ts";
import { nameInWords } from "./names.ts";
import { PanelElement } from "./panel.ts";
import { panelRow, type RowButton } from "./panel-row.ts";
import { element, onPress, part } from "./part.ts";
import { chooseTarget } from "./save.ts";
import { t } from "./words.ts";

const DAY_MS = 24 * 3600_000;

export class CofferSharing extends PanelElement {
  protected override readonly sentences = {
    "not-found": "There is no such account, or the document is not there any more.",
    conflict: "You cannot share with the same account, or share a document that is not finished.",
    "quota-exceeded": "One of the two accounts has reached its limit of shares.",
    "invalid-edk":
      "Its key opens other documents too, or may not be passed on: it cannot be shared. Seal it in an account that both of you are members of.",
    "share-ended": "It is not shared any more.",
    forbidden: "You may not do that in this account.",
  } as const;
  /** The document that is to be shared. */
  #document: Document | undefined;
  /** Of the documents of the page's list, by `nameOf` of the desk. */
  names: () => ReadonlyMap<string, string | undefined> = () => new Map();

  protected override ready(): void {
    super.ready();
    part(this, "share").addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#share();
    });
    onPress(this, "copy", () => void this.#copy());
  }

  /** Shows the panel with what it takes to share this document. */
  async showFor(document: Document): Promise<void> {
    this.account = document.account;
    const shown = this.show();
    this.#document = document;
    this.#offer();
    part(this, "to").focus();
    await shown;
  }

  protected override clear(): void {
    this.#document = undefined;
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
    await this.latest(
      () =>
        this.coffer.sharing(async (sharing) => ({
          given: await sharing.shares({ account }),
          received: await sharing.received(),
        })),
      ({ given, received }) => {
        const names = this.names();
        const nameIn = (id: string) => names.get(nameOf({ account, id })) ?? id;
        this.#draw("given", given, (share) => this.#given(share, nameIn(share.document)));
        this.#draw("received", received, (document) => this.#received(document));
      },
    );
  }

  #offer(): void {
    // Of the account that is shown alone.
    const document = this.#document?.account === this.account ? this.#document : undefined;
    part(this, "share").hidden = document === undefined;
    part(this, "name").textContent = nameInWords(document?.metadata?.name ?? "");
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
    const document = this.#document;
    if (!document) return;
    const field = part<HTMLInputElement>(this, "to");
    const to = field.value.trim();
    const days = Number(part<HTMLSelectElement>(this, "days").value);
    const { id, account } = document;
    let shared: Share | undefined;
    const done = await this.#change(async () => {
      const expires = new Date(Date.now() + days * DAY_MS);
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

  async #change(work: () => Promise<void>): Promise<boolean> {
    this.overtake();
    return this.attempt(async () => {
      await work();
      await this.read();
    });
  }
}
