/** `<coffer-waiting>`: how many transfers wait beside those that have a row, and a way to cancel all that have not begun. */

import { onPress, part, TemplateElement } from "./part.ts";
import { t } from "./words.ts";

export class CofferWaiting extends TemplateElement {
  #count = 0;
  onCancel: () => void = () => {};

  protected override ready(): void {
    onPress(this, "cancel", () => this.onCancel());
    this.count = this.#count;
  }

  set count(count: number) {
    this.#count = count;
    if (this.firstElementChild) part(this, "words").textContent = t("{count} more are waiting", { count });
  }
}
