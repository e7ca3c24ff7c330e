/** In the administration's panel: what an account uses, and what it may use. */

import type { AccountQuota, Coffer } from "#web/browser/index.ts";
import { formatBytes } from "./format.ts";
import { element, part } from "./part.ts";
import type { Panel } from "./vaults-of-others.ts";
import { t } from "./words.ts";

const MEGABYTE = 1_000_000;

export class AccountQuotaForm {
  readonly #root: HTMLElement;
  readonly #coffer: () => Coffer;
  readonly #panel: Panel;
  #account = "";

  constructor(root: HTMLElement, coffer: () => Coffer, panel: Panel) {
    this.#root = root;
    this.#coffer = coffer;
    this.#panel = panel;
    part(root, "quota-ask").addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#show(part<HTMLInputElement>(root, "quota-account").value.trim());
    });
    part(root, "quota-set").addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#set();
    });
  }

  clear(): void {
    this.#account = "";
    element<HTMLFormElement>(this.#root, "[data-quota-ask]").reset();
    part(this.#root, "quota-of").hidden = true;
  }

  async #show(account: string): Promise<void> {
    this.#account = account;
    part(this.#root, "quota-of").hidden = true;
    await this.#panel.attempt(async () => {
      const quota = await this.#coffer().administer((admin) => admin.quota(account));
      if (account === this.#account) this.#draw(quota);
    });
  }

  #draw({ used, quota, most }: AccountQuota): void {
    const root = this.#root;
    part(root, "quota-of").hidden = false;
    part(root, "quota-words").textContent =
      t("{used} of {may} documents, {bytes} of {mayBytes}.", {
        ...{ used: used.documents, may: quota.documents },
        ...{ bytes: formatBytes(used.bytes), mayBytes: formatBytes(quota.bytes) },
      }) +
      " " +
      t("This deployment allows an account {documents} documents and {bytes}.", {
        ...{ documents: most.documents, bytes: formatBytes(most.bytes) },
      });
    const documents = part<HTMLInputElement>(root, "quota-documents");
    documents.value = quota.documents < most.documents ? String(quota.documents) : "";
    const bytes = part<HTMLInputElement>(root, "quota-bytes");
    bytes.value = quota.bytes < most.bytes ? String(quota.bytes / MEGABYTE) : "";
  }

  /** What is left empty is as the deployment has it. */
  async #set(): Promise<void> {
    const account = this.#account;
    const [documents, bytes] = ["quota-documents", "quota-bytes"].map((name) => {
      const { value } = part<HTMLInputElement>(this.#root, name);
      return value === "" ? undefined : Number(value);
    });
    const quota = {
      ...(documents !== undefined && { documents }),
      ...(bytes !== undefined && { bytes: Math.round(bytes * MEGABYTE) }),
    };
    const set = () => this.#coffer().administer((admin) => admin.setQuota(account, quota));
    if (!(await this.#panel.attempt(set))) return;
    // Another may be asked for meanwhile.
    if (account === this.#account) await this.#show(account);
    this.#panel.say(t("That is what the account may use, from the next request on."));
  }
}
