/**
 * `<coffer-administration>`: who has which role in the organization, and who is in which group; vaults and keys of others, and what accounts may use. For
 * admins, who open nothing by it.
 */

import type { Group, RoleHolder, TenantRole } from "#web/browser/index.ts";
import { AccountQuotaForm } from "./account-quota.ts";
import type { CofferConfirm } from "./confirm.ts";
import { formatDay } from "./format.ts";
import { KeysOfOthers } from "./keys-of-others.ts";
import { MasterKeyMove } from "./master-key-move.ts";
import { PanelElement } from "./panel.ts";
import { addPage, panelRow } from "./panel-row.ts";
import { element, onPress, part } from "./part.ts";
import { VaultsOfOthers } from "./vaults-of-others.ts";
import { t, type Words, wordFor } from "./words.ts";

const ROLES: Readonly<Record<string, Words>> = { admin: "Admin", auditor: "Auditor" };
/** Members of a group that are shown at a time. */
const PAGE = 100;

export class CofferAdministration extends PanelElement {
  protected override readonly sentences = {
    forbidden: "This is for admins of the organization.",
    "quota-exceeded": "There is room for no more, or this deployment allows no more.",
    "not-found": "There is nothing of this id here.",
    "strict-tenant":
      "The key store of this organization keeps no master key, so that there is none to move to.",
  } as const;
  /** The members of the group that is shown, as far as they have been asked for. */
  #members: AsyncGenerator<{ user: string; since: number }> | undefined;
  #group = "";
  #vaults: VaultsOfOthers | undefined;
  #keys: KeysOfOthers | undefined;
  #quota: AccountQuotaForm | undefined;
  readonly #move = new MasterKeyMove(this, (error) => this.tell(error));

  protected override ready(): void {
    super.ready();
    this.dialog.addEventListener("close", () => this.#move.stop());
    onPress(this, "begin-move", () => void this.#beginMove());
    part(this, "give").addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#give();
    });
    part(this, "put").addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#put();
    });
    onPress(this, "more", () => void this.attempt(() => this.#more()));
    const panel = {
      attempt: (work: () => Promise<unknown>) => this.attempt(work),
      say: (words: string) => this.say(words),
    };
    this.#vaults = new VaultsOfOthers(this, () => this.coffer, panel);
    this.#keys = new KeysOfOthers(this, () => this.coffer, panel);
    this.#quota = new AccountQuotaForm(this, () => this.coffer, panel);
  }

  protected override clear(): void {
    for (const name of ["roles", "groups", "group"]) part(this, name).replaceChildren();
    for (const name of ["one", "move"]) part(this, name).hidden = true;
    this.#members = undefined;
    this.#group = "";
    this.#vaults?.clear();
    this.#keys?.clear();
    this.#quota?.clear();
  }

  protected override async read(): Promise<void> {
    await this.latest(
      () =>
        Promise.all([
          this.coffer.administer((admin) => admin.roles()),
          this.coffer.administer((admin) => admin.groups()),
        ]),
      ([roles, groups]) => this.#draw(roles, groups),
    );
    await this.#move.watch(this.coffer);
  }

  #draw(roles: readonly RoleHolder[], groups: readonly Group[]): void {
    const holders = roles.map(({ user, role, since }) =>
      panelRow(
        user,
        t("{role} since {day}", { role: wordFor(ROLES, role), day: formatDay(new Date(since * 1000)) }),
        {
          label: t("Take"),
          name: t("Take the role {role} from {user}", { role: wordFor(ROLES, role), user }),
          run: () => this.#take(role, user),
        },
      ),
    );
    part(this, "roles").replaceChildren(...holders);
    part(this, "no-roles").hidden = roles.length > 0;
    const listed = groups.map(({ group, members }) =>
      panelRow(group, members === 1 ? t("1 member") : t("{count} members", { count: members }), {
        label: t("Show"),
        name: t("Show the group {group}", { group }),
        run: () => this.#show(group),
      }),
    );
    part(this, "groups").replaceChildren(...listed);
    part(this, "no-groups").hidden = groups.length > 0;
  }

  async #give(): Promise<void> {
    const user = part<HTMLInputElement>(this, "user").value.trim();
    const role = part<HTMLSelectElement>(this, "role").value as TenantRole;
    const done = await this.#change((admin) => admin.grantRole(role, user));
    if (!done) return;
    this.say(t("{user} is {role} from the next request on.", { user, role: wordFor(ROLES, role) }));
    element<HTMLFormElement>(this, "[data-give]").reset();
  }

  async #beginMove(): Promise<void> {
    if (await this.attempt(() => this.#move.begin(this.coffer))) this.say(t("The move has begun."));
  }

  async #take(role: TenantRole, user: string): Promise<void> {
    const question = {
      ...{ title: t("Take this role?"), name: user, yes: t("Take"), no: t("Cancel") },
      text: t("is no {role} any more, from the next request on.", { role: wordFor(ROLES, role) }),
    };
    if (!(await element<CofferConfirm>(document, "coffer-confirm").ask(question))) return;
    if (await this.#change((admin) => admin.withdrawRole(role, user))) this.say(t("The role is taken."));
    part(this, "close").focus();
  }

  async #put(): Promise<void> {
    const group = part<HTMLInputElement>(this, "name").value.trim();
    const user = part<HTMLInputElement>(this, "member").value.trim();
    if (!(await this.#change((admin) => admin.addToGroup(group, user)))) return;
    this.say(t("{user} is in {group}.", { user, group }));
    element<HTMLFormElement>(this, "[data-put]").reset();
    await this.#show(group);
  }

  async #show(group: string): Promise<void> {
    this.#group = group;
    const members = await this.coffer.administer(async (admin) => admin.group(group));
    // Another may be asked for meanwhile.
    if (group !== this.#group) return;
    this.#members = members;
    part(this, "group").replaceChildren();
    part(this, "group-name").textContent = group;
    part(this, "one").hidden = false;
    await this.attempt(() => this.#more(false));
  }

  /** A page at a time: a group may have a million. */
  async #more(on = true): Promise<void> {
    const [members, group] = [this.#members, this.#group];
    const items: HTMLElement[] = [];
    let ended = false;
    while (members && items.length < PAGE && !ended) {
      const next = await members.next();
      ended = next.done === true;
      if (next.done) break;
      const { user, since } = next.value;
      items.push(
        panelRow(user, t("since {day}", { day: formatDay(new Date(since * 1000)) }), {
          label: t("Remove"),
          name: t("Remove {user} from {group}", { user, group }),
          run: () => this.#remove(group, user),
        }),
      );
    }
    if (members !== this.#members) return;
    const say = on ? (words: string) => this.say(words) : undefined;
    addPage(part(this, "group"), part(this, "more"), { items, more: !ended, say });
  }

  async #remove(group: string, user: string): Promise<void> {
    if (!(await this.#change((admin) => admin.removeFromGroup(group, user)))) return;
    this.say(t("{user} is in {group} no more.", { user, group }));
    if (group === this.#group) await this.#show(group);
  }

  async #change(work: Parameters<typeof this.coffer.administer<void>>[0]): Promise<boolean> {
    this.overtake();
    return this.attempt(async () => {
      await this.coffer.administer(work);
      await this.read();
    });
  }
}
