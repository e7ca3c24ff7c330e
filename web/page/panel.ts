/** A panel of the page about one of the user's accounts: a dialog, the choice of the account, and one line that says what was done or why not. */

import { type Account, type Coffer, CofferError, type ErrorCode } from "#web/browser/index.ts";
import { offerAccounts } from "./account-choice.ts";
import { messageInWords } from "./error-words.ts";
import { element, onPress, part, TemplateElement } from "./part.ts";
import { t, type Words } from "./words.ts";

export abstract class PanelElement extends TemplateElement {
  #coffer: Coffer | undefined;
  /** Id of the account that is shown; empty where the user has none. */
  protected account = "";
  #reading: object | undefined;

  protected override ready(): void {
    onPress(this, "close", () => this.dialog.close());
    this.#choice?.addEventListener("change", (event) => {
      this.account = (event.target as HTMLSelectElement).value;
      this.say("");
      void this.attempt(() => this.read());
    });
  }

  /** Begins to work with a connection. */
  start(coffer: Coffer): void {
    this.#coffer = coffer;
  }

  async show(): Promise<void> {
    this.say("");
    this.clear();
    if (!this.dialog.open) this.dialog.showModal();
    this.choose(this.coffer.identity?.accounts ?? []);
    await this.attempt(async () => {
      // A colleague may have shared one since.
      this.choose(await this.coffer.accounts());
      await this.read();
    });
  }

  /** Nobody is signed in any more: nothing of what was shown stays. */
  close(): void {
    // On the page of one who has not signed in nothing was shown yet.
    if (!this.#coffer) return;
    this.dialog.close();
    this.clear();
  }

  /** Reads what is shown, and shows it. */
  protected abstract read(): Promise<void>;
  /** Takes away what was shown. */
  protected abstract clear(): void;
  /** A sentence for a code that means something of its own here. */
  protected readonly sentences: Readonly<Partial<Record<ErrorCode, Words>>> = {};

  protected get coffer(): Coffer {
    if (!this.#coffer) throw new Error("not started");
    return this.#coffer;
  }

  protected get dialog(): HTMLDialogElement {
    return element<HTMLDialogElement>(this, "dialog");
  }

  /** Reads and shows. What a later reading or a change has overtaken shows nothing, and what refuses that is no failure. */
  protected async latest<T>(read: () => Promise<T>, draw: (value: T) => void): Promise<void> {
    const reading = {};
    this.#reading = reading;
    try {
      const value = await read();
      if (this.#reading === reading) draw(value);
    } catch (error) {
      if (this.#reading === reading) throw error;
    }
  }

  /** Before a change: a reading under way would show what was before it. */
  protected overtake(): void {
    this.#reading = undefined;
  }

  /** What fails is told here: a notice of the page would be behind the dialog. Answers whether it was done. */
  protected async attempt(work: () => Promise<unknown>): Promise<boolean> {
    try {
      await work();
      return true;
    } catch (error) {
      this.tell(error);
      return false;
    }
  }

  protected tell(error: unknown): void {
    const code = error instanceof CofferError ? error.code : undefined;
    const own = code && this.sentences[code];
    this.say(own ? t(own) : messageInWords(error), true);
  }

  protected say(words: string, failed = false): void {
    const said = part(this, "said");
    said.textContent = words;
    said.toggleAttribute("data-failed", failed);
  }

  protected choose(accounts: readonly Account[]): void {
    const select = this.#choice;
    if (select) this.account = offerAccounts(part(this, "choose-account"), select, accounts, this.account);
    else if (!accounts.some(({ id }) => id === this.account)) this.account = accounts[0]?.id ?? "";
  }

  /** Tells the page that another list of documents may be there. */
  protected changed(): void {
    this.dispatchEvent(new CustomEvent("coffer-changed", { bubbles: true }));
  }

  get #choice(): HTMLSelectElement | null {
    return this.querySelector<HTMLSelectElement>("[data-accounts]");
  }
}
