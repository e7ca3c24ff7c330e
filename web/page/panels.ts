/** The panels of the page: each behind a button of its own. */

import type { Coffer, Standing } from "#web/browser/index.ts";
import type { CofferKeys } from "./keys.ts";
import type { PanelElement } from "./panel.ts";
import { element } from "./part.ts";

/** By the names of their elements, but for the keys' panel, which has work that goes on. */
const PANELS = [
  ...(["coffer-members", "coffer-sharing", "coffer-activity", "coffer-vaults"] as const),
  ...(["coffer-administration", "coffer-flow", "coffer-ladder"] as const),
  ...(["coffer-deleted", "coffer-versions"] as const),
];

export class Panels {
  readonly #page: HTMLElement;

  /** Buttons of the page marked `data-panel` show the element of that name. */
  constructor(page: HTMLElement) {
    this.#page = page;
    for (const button of page.querySelectorAll<HTMLElement>("[data-panel]")) {
      const name = button.dataset.panel ?? "";
      button.addEventListener("click", () => void element<PanelElement | CofferKeys>(page, name).show());
    }
  }

  start(coffer: Coffer, notify: (error: unknown) => void): void {
    this.#keys.start(coffer, notify);
    for (const panel of this.#panels) panel.start(coffer);
  }

  /** Others need not see what is for admins; the edge refuses it to them all the same. */
  offer({ roles }: Standing): void {
    element(this.#page, '[data-panel="coffer-administration"]').hidden = !roles.includes("admin");
  }

  close(): void {
    this.#keys.close();
    for (const panel of this.#panels) panel.close();
  }

  get #keys(): CofferKeys {
    return element<CofferKeys>(this.#page, "coffer-keys");
  }

  get #panels(): PanelElement[] {
    return PANELS.map((name) => element<PanelElement>(this.#page, name));
  }
}
