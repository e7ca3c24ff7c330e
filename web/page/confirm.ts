/** `<coffer-confirm>`: asks before something is done that nobody should do by one press in error. */

import { shownName } from "./names.ts";
import { element, onPress, part, TemplateElement } from "./part.ts";

/** The second click of a double click on the row must not be the answer here. Milliseconds. */
const READING = 500;

export type Question = {
  title: string;
  /** What it is about, in bold before the text. */
  name: string;
  text: string;
  yes: string;
  no: string;
};

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
  ask({ title, name, text, yes: agreed, no }: Question): Promise<boolean> {
    part(this, "title").textContent = title;
    part(this, "name").textContent = shownName(name);
    part(this, "text").textContent = text;
    part(this, "no").textContent = no;
    this.#dialog.returnValue = "no";
    const yes = part<HTMLButtonElement>(this, "yes");
    yes.textContent = agreed;
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
