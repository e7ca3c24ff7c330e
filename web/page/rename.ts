/** `<coffer-rename>`: asks for a document's new name. */

import { element, onPress, part, TemplateElement } from "./part.ts";

export class CofferRename extends TemplateElement {
  #answer: (name: string | undefined) => void = () => {};

  protected override ready(): void {
    onPress(this, "no", () => this.#dialog.close(""));
    element<HTMLFormElement>(this, "form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#dialog.close(this.#field.value.trim());
    });
    // Escape and the buttons both end here.
    this.#dialog.addEventListener("close", () => this.#answer(this.#dialog.returnValue || undefined));
  }

  /** Resolves to the name, or to undefined where the person keeps the one there is. */
  ask(name: string): Promise<string | undefined> {
    const field = this.#field;
    field.value = name;
    this.#dialog.returnValue = "";
    this.#dialog.showModal();
    field.focus();
    // What says the kind of a document mostly stays.
    const end = name.lastIndexOf(".");
    field.setSelectionRange(0, end > 0 ? end : name.length);
    return new Promise((resolve) => {
      this.#answer = (given) => resolve(given === name ? undefined : given);
    });
  }

  get #field(): HTMLInputElement {
    return part<HTMLInputElement>(this, "new-name");
  }

  get #dialog(): HTMLDialogElement {
    return element<HTMLDialogElement>(this, "dialog");
  }
}
