/** `<coffer-help>`: the page's shortcuts, and the choice to have those of a single key switched off (WCAG 2.1.4). */

import { choice, keepChoice } from "./choices.ts";
import { element, onPress, part, TemplateElement } from "./part.ts";

const OFF = "coffer-single-keys-off";

export class CofferHelp extends TemplateElement {
  protected override ready(): void {
    onPress(this, "close", () => this.#dialog.close());
    const single = part<HTMLInputElement>(this, "single");
    single.checked = singleKeys();
    single.addEventListener("change", () => {
      keepChoice(OFF, single.checked ? undefined : "off");
    });
  }

  show(): void {
    if (!this.#dialog.open) this.#dialog.showModal();
  }

  get #dialog(): HTMLDialogElement {
    return element<HTMLDialogElement>(this, "dialog");
  }
}

/** Shortcuts of a single key, anywhere on the page but where something is typed or asked. */
export function singleKeyShortcuts(shortcuts: Readonly<Record<string, () => void>>): void {
  document.addEventListener("keydown", (event) => {
    const act = shortcuts[event.key];
    if (!act || event.ctrlKey || event.metaKey || event.altKey || !singleKeys()) return;
    const target = event.target as HTMLElement;
    if (target.closest("input:not([type=checkbox]), select, textarea, dialog")) return;
    event.preventDefault();
    act();
  });
}

function singleKeys(): boolean {
  return choice(OFF) === undefined;
}
