/** `<coffer-members>`: who may act for an account; for a new colleague, one who leaves, and the user's own leaving. */

import type { AccountMember } from "#web/browser/index.ts";
import type { CofferConfirm, Question } from "./confirm.ts";
import type { CofferMember, Role } from "./member-row.ts";
import { nameInWords, shownName } from "./names.ts";
import { PanelElement } from "./panel.ts";
import { element, onPress, part } from "./part.ts";
import { t, type Words } from "./words.ts";

const REMOVAL: Words =
  "is given nothing from then on: the next request is refused. A key that their vault has loaded already ends within 8 hours, and opens until then what they have kept.";
const LEAVING: Words = "opens no document for you from then on. Only an owner can make you a member again.";

const FROM_NOW_ON = {
  owner: "{name}: owner from now on.",
  member: "{name}: member from now on.",
  reader: "{name}: reader from now on.",
} as const satisfies Record<Role, Words>;

export class CofferMembers extends PanelElement {
  protected override readonly sentences = {
    "not-found": "Nobody with that id has signed in here yet.",
    conflict: "An account keeps an owner. Make somebody else an owner first.",
    "quota-exceeded": "There is room for no more members.",
    forbidden: "You may not do that in this account any more.",
  } as const;
  protected override ready(): void {
    super.ready();
    element<HTMLFormElement>(this, "form").addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#add();
    });
    onPress(this, "copy", () => void this.#copy());
    onPress(this, "leave", () => void this.#leave());
    onPress(this, "rotate", () => void this.#rotate());
    onPress(this, "later", () => this.#offer(""));
    this.addEventListener("coffer-role", (event) => {
      const { detail } = event as CustomEvent<Role>;
      void this.#put(event.target as CofferMember, detail);
    });
    this.addEventListener("coffer-remove", (event) => void this.#remove(event.target as CofferMember));
  }

  protected override clear(): void {
    this.#offer("");
    part(this, "list").replaceChildren();
    element(this, "form").hidden = true;
    part(this, "leaving").hidden = true;
    part(this, "own").textContent = this.#own;
  }

  protected override async read(): Promise<void> {
    const { account } = this;
    if (account === "") return this.clear();
    await this.latest(
      () => this.coffer.members(account),
      (members) => this.#draw(members),
    );
  }

  #draw(members: readonly AccountMember[]): void {
    const own = members.find(({ user }) => user === this.#own);
    const managed = own?.role === "owner";
    const rows = members.map((member) => {
      const row = document.createElement("coffer-member") as CofferMember;
      row.member = { member, own: member === own, managed };
      const item = document.createElement("li");
      item.append(row);
      return item;
    });
    part(this, "list").replaceChildren(...rows);
    element(this, "form").hidden = !managed;
    const others = members.filter((member) => member !== own);
    part(this, "leaving").hidden = others.length === 0;
    const last = managed && !others.some(({ role }) => role === "owner");
    part(this, "last-owner").hidden = !last;
    part(this, "may-leave").hidden = last;
  }

  async #add(): Promise<void> {
    const field = part<HTMLInputElement>(this, "colleague");
    const user = field.value.trim();
    const role = part<HTMLSelectElement>(this, "as").value as Role;
    if (user === this.#own) return this.say(t("That is your own id. Ask your colleague for theirs."), true);
    const done = await this.#change((account) => this.coffer.putMember(user, role, account));
    if (!done) return field.focus();
    const name = this.#rowOf(user)?.name ?? t("Your colleague");
    this.say(t("{name} is a member now, and opens what is in this account.", { name: nameInWords(name) }));
    element<HTMLFormElement>(this, "form").reset();
    field.focus();
  }

  async #put(row: CofferMember, role: Role): Promise<void> {
    const { name, dataset } = row;
    const user = dataset.member ?? "";
    const done = await this.#change((account) => this.coffer.putMember(user, role, account));
    // The select shows what was chosen: back to what is.
    if (!done) return void (await this.attempt(() => this.read()));
    this.say(t(FROM_NOW_ON[role], { name: nameInWords(name) }));
    this.#rowOf(user)?.querySelector<HTMLElement>("select")?.focus();
  }

  async #remove({ name, dataset }: CofferMember): Promise<void> {
    const user = dataset.member ?? "";
    if (!(await this.#ask({ title: t("Remove this member?"), name, text: t(REMOVAL), yes: t("Remove") })))
      return;
    if (!(await this.#change((account) => this.coffer.removeMember(user, account)))) return;
    this.say(t("{name} is no member any more.", { name: nameInWords(name) }));
    this.#offer(name);
  }

  async #leave(): Promise<void> {
    const { account } = this;
    const name = this.coffer.identity?.accounts.find(({ id }) => id === account)?.name ?? "";
    if (!(await this.#ask({ title: t("Leave this account?"), name, text: t(LEAVING), yes: t("Leave") })))
      return;
    this.overtake();
    const done = await this.attempt(async () => {
      this.choose(await this.coffer.leave(account));
      this.clear();
      await this.read();
    });
    if (!done) return;
    this.say(t("You have left the account."));
    this.changed();
    part(this, "close").focus();
  }

  #ask(question: Omit<Question, "no">): Promise<boolean> {
    this.#offer("");
    return element<CofferConfirm>(document, "coffer-confirm").ask({ ...question, no: t("Cancel") });
  }

  /** Offers new keys, since somebody of that name has gone; with an empty one no more. */
  #offer(gone: string): void {
    const offer = part(this, "offer");
    offer.hidden = gone === "";
    part(this, "gone").textContent = shownName(gone);
    if (gone !== "") part(this, "rotate").focus();
  }

  async #rotate(): Promise<void> {
    const { account } = this;
    const done = await this.attempt(async () => {
      await this.coffer.manage((life) => life.rotateKey(account));
      const versions = await this.coffer.manage((life) => life.keys(account));
      if (versions.length > 0) await this.coffer.manage((life) => life.rotateDataKey(account));
    });
    if (!done) return;
    this.#offer("");
    this.say(t("The account has new keys. Under Keys you can seal again what was sealed before."));
    part(this, "close").focus();
  }

  async #copy(): Promise<void> {
    const done = await this.attempt(() => navigator.clipboard.writeText(this.#own));
    if (done) this.say(t("Your id is copied."));
  }

  async #change(work: (account: string) => Promise<void>): Promise<boolean> {
    const { account } = this;
    this.overtake();
    return this.attempt(async () => {
      await work(account);
      await this.read();
    });
  }

  #rowOf(user: string): CofferMember | undefined {
    const rows = this.querySelectorAll<CofferMember>("coffer-member");
    return [...rows].find(({ dataset }) => dataset.member === user);
  }

  get #own(): string {
    return this.coffer.identity?.user.id ?? "";
  }
}
