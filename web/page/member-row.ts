/** `<coffer-member>`: one member of an account. Fires `coffer-role` (its detail is the role that was chosen) and `coffer-remove`. */

import type { AccountMember } from "#web/browser/index.ts";
import { formatDay } from "./format.ts";
import { nameInWords, shownName } from "./names.ts";
import { onPress, part, TemplateElement } from "./part.ts";
import { t, type Words } from "./words.ts";

export type Role = AccountMember["role"];

const ROLES: Readonly<Record<Role, Words>> = {
  owner: "Owner",
  member: "Member",
  reader: "Reader",
};

export class CofferMember extends TemplateElement {
  #member: AccountMember | undefined;
  #own = false;
  #managed = false;

  /** `own`: it is the user; `managed`: the user owns the account. Set before the element is connected. */
  set member({ member, own, managed }: { member: AccountMember; own: boolean; managed: boolean }) {
    this.#member = member;
    this.#own = own;
    this.#managed = managed;
  }

  get name(): string {
    return this.#member?.name || t("Somebody without a name");
  }

  protected override ready(): void {
    if (!this.#member) return;
    const { user, role, since } = this.#member;
    this.dataset.member = user;
    part(this, "name").textContent = shownName(this.name);
    part(this, "you").hidden = !this.#own;
    const joined = since > 0 ? [t("since {day}", { day: formatDay(new Date(since * 1000)) })] : [];
    // Where the role can be chosen, the choice says it.
    part(this, "meta").textContent = [...(this.#managed ? [] : [t(ROLES[role])]), ...joined].join(" · ");
    const id = part(this, "user");
    id.textContent = user;
    id.title = user;
    const select = part<HTMLSelectElement>(this, "role");
    select.replaceChildren(...Object.entries(ROLES).map(([value, name]) => new Option(t(name), value)));
    select.value = role;
    select.setAttribute("aria-label", t("Role of {name}", { name: nameInWords(this.name) }));
    select.addEventListener("change", () => this.#fire("coffer-role", select.value));
    part(this, "remove").setAttribute("aria-label", t("Remove {name}", { name: nameInWords(this.name) }));
    onPress(this, "remove", () => this.#fire("coffer-remove"));
    // The own membership ends by leaving.
    part(this, "remove").hidden = !this.#managed;
    part(this, "remove").toggleAttribute("data-blank", this.#own);
    select.hidden = !this.#managed;
  }

  #fire(type: string, detail?: string): void {
    this.dispatchEvent(new CustomEvent(type, { bubbles: true, detail }));
  }
}
