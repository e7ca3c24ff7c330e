/** `<coffer-chain>`: who holds what, from this page to the key store, and which of them is at work. */

import type { MicroserviceState } from "#web/browser/index.ts";
import { formatMeasurement, formatMoment } from "./format.ts";
import { element, part, TemplateElement } from "./part.ts";
import { METHODS } from "./vault-words.ts";
import { t, type Words, wordFor } from "./words.ts";

/** A link of the chain. */
export type Link = "page" | "vault" | "edge" | "hsm";

const PHASES: Record<MicroserviceState["phase"], Words> = {
  idle: "Encrypts and decrypts, with keys that no script can read.",
  starting: "Starting…",
  locked: "Locked by your passkey: unlock it in the bar below.",
  enrolling: "Making its own keys and having them certified…",
  ready: "Enrolled. Encrypts and decrypts, with keys that no script can read.",
  failed: "Not available. Reload the page to start it again.",
};

export class CofferChain extends TemplateElement {
  protected override ready(): void {
    this.querySelector("ol")?.setAttribute("aria-label", this.getAttribute("label") ?? "");
  }

  /** Shows where the microservice stands. */
  show(state: MicroserviceState): void {
    part(this, "vault-state").textContent = t(PHASES[state.phase]);
    const vault = element(this, "[data-link=vault]");
    vault.dataset.phase = state.phase;
    part(this, "facts").hidden = state.phase !== "ready";
    if (state.phase !== "ready") return;
    const { instance, measurement } = state;
    part(this, "method").textContent = wordFor(METHODS, instance.method);
    part(this, "certificate").textContent = formatMoment(new Date(instance.notAfter));
    const code = part(this, "measurement");
    code.textContent = formatMeasurement(measurement);
    code.title = measurement;
  }

  /** Marks the links that are at work now. */
  mark(working: ReadonlySet<Link>): void {
    for (const link of this.querySelectorAll<HTMLElement>("[data-link]")) {
      link.toggleAttribute("data-working", working.has(link.dataset.link as Link));
    }
  }
}
