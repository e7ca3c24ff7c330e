/** `<coffer-confirm>`: asks before a document is deleted. */

import { element, onPress, part, TemplateElement } from "./part.ts";

/** The second click of a double click on the row must not be the answer here. Milliseconds. */
const READING = 500;

export class CofferConfirm extends TemplateElement {
  #answer: (yes: boolean) => void = () => {};
  #reading: ReturnType<typeof setTimeout> | undefined;

  protected override ready(): void {
    const dialog = this.#dialog;
    onPress(this, "no", () => dialog.close("no"));
    onPress(this, "yes", () => dialog.close("yes"));
    // Escape and the buttons both end here.
    dialog.addEventListener("close", () => this.#answer(dialog.returnValue === "yes"));
  }

  /** Resolves to true when the person says yes. */
  ask(name: string): Promise<boolean> {
    part(this, "name").textContent = name;
    this.#dialog.returnValue = "no";
    const yes = part<HTMLButtonElement>(this, "yes");
    yes.disabled = true;
    clearTimeout(this.#reading);
    this.#reading = setTimeout(() => {
      yes.disabled = false;
    }, READING);
    this.#dialog.showModal();
    return new Promise((resolve) => {
      this.#answer = resolve;
    });
  }

  get #dialog(): HTMLDialogElement {
    return element<HTMLDialogElement>(this, "dialog");
  }
}
