/** `<coffer-notice>`: a failure that is not of one transfer, with what to do about it. */

import { CofferError } from "#web/browser/index.ts";
import { messageInWords } from "./error-words.ts";
import { onPress, part, TemplateElement } from "./part.ts";
import { t } from "./words.ts";

export class CofferNotice extends TemplateElement {
  protected override ready(): void {
    this.role = "alert";
    onPress(this, "dismiss", () => this.remove());
  }

  /** Shows an error; `act` offers a way out of it. */
  show(error: unknown, act?: { label: string; run: () => void }): void {
    part(this, "message").textContent = messageInWords(error);
    const code = part(this, "code");
    code.hidden = !(error instanceof CofferError);
    if (error instanceof CofferError) {
      this.dataset.code = error.code;
      code.textContent = error.requestId
        ? t("{code} · request {id}", { code: error.code, id: error.requestId })
        : error.code;
    }
    const button = part(this, "act");
    button.hidden = !act;
    if (!act) return;
    button.textContent = act.label;
    button.addEventListener("click", () => {
      this.remove();
      act.run();
    });
  }
}
