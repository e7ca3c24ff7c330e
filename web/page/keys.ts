/** `<coffer-keys>`: the keys of an account, and its end. Fires `coffer-changed` when another list of documents may be there. */

import type { AccountState, Coffer, DataKeyVersion } from "#web/browser/index.ts";
import { offerAccounts } from "./account-choice.ts";
import { formatMoment } from "./format.ts";
import { nameInWords } from "./names.ts";
import { element, onPress, part, TemplateElement } from "./part.ts";
import { ReEncryption, type ReEncryptionState } from "./re-encryption.ts";
import { localeOfPage, t } from "./words.ts";

export class CofferKeys extends TemplateElement {
  #coffer: Coffer | undefined;
  #reEncryption: ReEncryption | undefined;
  #notify: (error: unknown) => void = () => {};
  #account = "";
  /** Names the last reading: what it, or a change, has overtaken shows nothing, and what refuses that is no failure. */
  #reading: object | undefined;

  protected override ready(): void {
    onPress(this, "close", () => this.#dialog.close());
    part(this, "accounts").addEventListener("change", (event) => {
      this.#account = (event.target as HTMLSelectElement).value;
      void this.#attempt(() => this.#read());
    });
    onPress(this, "rotate-account", () =>
      this.#change(t("The account has another key."), (life) => life.rotateKey(this.#account)),
    );
    onPress(this, "rotate-data", () =>
      this.#change(t("There is a new version."), (life) => {
        const by = part<HTMLSelectElement>(this, "maker").value === "instance" ? "instance" : undefined;
        return life.rotateDataKey(this.#account, { by });
      }),
    );
    onPress(this, "re-encrypt-all", () => void this.#reEncryption?.start(this.#account));
    onPress(this, "stop", () => this.#reEncryption?.stop());
    onPress(this, "delete-account", () => {
      const days = Number(part<HTMLSelectElement>(this, "days").value);
      this.#change(t("The account will be deleted."), (life) => life.delete(this.#account, { days }), true);
    });
    onPress(this, "keep-account", () =>
      this.#change(t("The account is kept."), (life) => life.keep(this.#account), true),
    );
    element<HTMLFormElement>(this, "form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#create(part<HTMLInputElement>(this, "new-name").value.trim());
    });
  }

  /** Begins to work with a connection; goes on with what an earlier load of the page had begun. */
  start(coffer: Coffer, notify: (error: unknown) => void): void {
    this.#coffer = coffer;
    this.#notify = notify;
    this.#reEncryption = new ReEncryption(coffer, (state) => this.#showProgress(state));
    const accounts = coffer.identity?.accounts ?? [];
    this.#reEncryption.resume(accounts.map(({ id }) => id));
  }

  async show(): Promise<void> {
    this.#choose();
    this.#say("");
    this.#dialog.showModal();
    await this.#attempt(() => this.#read());
  }

  #choose(): void {
    const accounts = this.#coffer?.identity?.accounts ?? [];
    const [label, select] = [part(this, "choose-account"), part<HTMLSelectElement>(this, "accounts")];
    this.#account = offerAccounts(label, select, accounts, this.#account);
  }

  #create(name: string): void {
    this.#change(
      t("The account {name} is made, with keys of its own.", { name: nameInWords(name) }),
      async (life) => {
        const { id } = await life.create(name);
        element<HTMLFormElement>(this, "form").reset();
        this.#account = id;
        this.#choose();
      },
      true,
    );
  }

  close(): void {
    this.#reEncryption?.halt();
    this.#dialog.close();
  }

  async #read(): Promise<void> {
    const account = this.#account;
    const coffer = this.#coffer;
    if (!coffer || account === "") return;
    const reading = {};
    this.#reading = reading;
    try {
      const state = await coffer.manage((life) => life.state(account));
      const versions = state.ends === undefined ? await coffer.manage((life) => life.keys(account)) : [];
      if (this.#reading === reading) this.#draw(state, versions);
    } catch (error) {
      if (this.#reading === reading) throw error;
    }
  }

  #draw({ ends }: AccountState, versions: DataKeyVersion[]): void {
    part(this, "pending").hidden = ends === undefined;
    part(this, "usable").hidden = ends !== undefined;
    if (ends !== undefined) part(this, "ends").textContent = dateOf(ends);
    const list = part(this, "versions");
    list.replaceChildren(...versions.map((version, i) => this.#row(version, i === 0)));
    part(this, "versioned").hidden = versions.length === 0;
    part(this, "unversioned").hidden = versions.length > 0;
  }

  #row({ keyId, keyVersion, created, ends }: DataKeyVersion, newest: boolean): HTMLElement {
    const row = document.createElement("li");
    const said =
      ends === undefined
        ? t("made {when}", { when: formatMoment(new Date(created * 1000)) })
        : t("deleted on {when}", { when: dateOf(ends) });
    const words = document.createElement("span");
    const version = { version: keyVersion };
    const title = newest ? t("Version {version}, the newest", version) : t("Version {version}", version);
    words.textContent = `${title} · ${said}`;
    row.append(words);
    if (newest) return row;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "quiet";
    button.textContent = ends === undefined ? t("Delete") : t("Keep");
    button.setAttribute(
      "aria-label",
      ends === undefined ? t("Delete version {version}", version) : t("Keep version {version}", version),
    );
    const key = `${keyId}.${keyVersion}`;
    button.addEventListener("click", () =>
      ends === undefined
        ? this.#change(t("Version {version} will be deleted.", version), (life) =>
            life.deleteDataKey(this.#account, key),
          )
        : this.#change(t("Version {version} is kept.", version), (life) =>
            life.keepDataKey(this.#account, key),
          ),
    );
    row.append(button);
    return row;
  }

  #showProgress(state: ReEncryptionState | undefined): void {
    const { all, done = 0, failed = 0 } = state?.progress ?? {};
    const running = state !== undefined && state.error === undefined;
    part(this, "progress").hidden = !running;
    part<HTMLButtonElement>(this, "re-encrypt-all").disabled = running;
    const bar = part<HTMLProgressElement>(this, "bar");
    bar.max = Math.max(1, all ?? 1);
    if (all === undefined) bar.removeAttribute("value");
    else bar.value = done + failed;
    const words =
      all === undefined
        ? t("Looking at the documents…")
        : t("{done} of {all} documents sealed again", { done, all });
    part(this, "progress-words").textContent =
      failed > 0 ? t("{words}, {failed} could not be", { words, failed }) : words;
    if (state?.error !== undefined) this.#notify(state.error);
    // Once for all of them: a list of hundreds is not read again for each.
    if (state === undefined) this.#changed();
  }

  #change(done: string, work: Parameters<Coffer["manage"]>[0], relist = false): void {
    this.#reading = undefined;
    void this.#attempt(async () => {
      await this.#coffer?.manage(work);
      await this.#read();
      this.#say(done);
      if (relist) this.#changed();
    });
  }

  async #attempt(work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#dialog.close();
      this.#notify(error);
    }
  }

  #changed(): void {
    this.dispatchEvent(new CustomEvent("coffer-changed", { bubbles: true }));
  }

  #say(words: string): void {
    part(this, "said").textContent = words;
  }

  get #dialog(): HTMLDialogElement {
    return element<HTMLDialogElement>(this, "dialog");
  }
}

/** Seconds since 1970. */
function dateOf(seconds: number): string {
  return new Intl.DateTimeFormat(localeOfPage(), { dateStyle: "medium", timeStyle: "short" }).format(
    new Date(seconds * 1000),
  );
}
