/** In the administration's panel: the vaults of any person, to revoke what was lost. */

import type { Coffer, UserInstance } from "#web/browser/index.ts";
import type { CofferConfirm } from "./confirm.ts";
import { formatMoment } from "./format.ts";
import { panelRow } from "./panel-row.ts";
import { element, part } from "./part.ts";
import { METHODS, STANDINGS, TIERS } from "./vault-words.ts";
import { t, wordFor } from "./words.ts";

/** What the panel does for its parts: an attempt is told of where it fails. */
export type Panel = {
  attempt: (work: () => Promise<unknown>) => Promise<boolean>;
  say: (words: string) => void;
};

export class VaultsOfOthers {
  readonly #root: HTMLElement;
  readonly #coffer: () => Coffer;
  readonly #panel: Panel;
  #user = "";

  constructor(root: HTMLElement, coffer: () => Coffer, panel: Panel) {
    this.#root = root;
    this.#coffer = coffer;
    this.#panel = panel;
    part(root, "whose").addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#show(part<HTMLInputElement>(root, "whose-id").value.trim());
    });
  }

  clear(): void {
    this.#user = "";
    element<HTMLFormElement>(this.#root, "[data-whose]").reset();
    part(this.#root, "others").replaceChildren();
    part(this.#root, "no-others").hidden = true;
  }

  async #show(user: string): Promise<void> {
    this.#user = user;
    part(this.#root, "others").replaceChildren();
    part(this.#root, "no-others").hidden = true;
    await this.#panel.attempt(async () => {
      const instances = await this.#coffer().administer((admin) => admin.userInstances(user));
      // Whose are shown may be asked for again meanwhile.
      if (user !== this.#user) return;
      part(this.#root, "no-others").hidden = instances.length > 0;
      part(this.#root, "others").replaceChildren(...instances.map((instance) => this.#row(user, instance)));
    });
  }

  #row(user: string, { id, origin, method, tier, notAfter, status }: UserInstance): HTMLElement {
    const end =
      status === "active"
        ? t("certified until {when}", { when: formatMoment(new Date(notAfter * 1000)) })
        : wordFor(STANDINGS, status);
    const about = [origin, wordFor(TIERS, tier), wordFor(METHODS, method), end].join(" · ");
    const button = {
      label: t("Revoke…"),
      name: t("Revoke the vault {id}", { id }),
      run: () => this.#revoke(user, id),
    };
    return panelRow(id, about, ...(status === "active" ? [button] : []));
  }

  async #revoke(user: string, id: string): Promise<void> {
    const question = {
      ...{ title: t("Revoke this vault of another?"), name: t("The vault {id} of {user}", { id, user }) },
      ...{ yes: t("Revoke"), no: t("Cancel") },
      text: t(
        "is given no key from then on. What it has loaded ends within 8 hours; whoever uses it has to sign in and enrol again.",
      ),
    };
    if (!(await element<CofferConfirm>(document, "coffer-confirm").ask(question))) return;
    const revoke = () => this.#coffer().administer((admin) => admin.revokeUserInstance(user, id));
    if (!(await this.#panel.attempt(revoke))) return;
    // Those of others may be asked for meanwhile: it is said, and theirs stay.
    const current = user === this.#user;
    if (current) await this.#show(user);
    this.#panel.say(t("The vault is revoked: no key is released to it any more."));
    if (current) part(this.#root, "close").focus();
  }
}
