import { dress } from "./look.ts";
import type { Authenticators, PasskeySecret } from "./passkey.ts";
import { secretBy } from "./passkey.ts";
import { makeButton } from "./passkey-button.ts";
import { t } from "./words.ts";

/**
 * Asks the person for the passkey under which an instance's keys are kept (M4), by a button in the vault's own document, and answers what it
 * gives. Null where the person goes on without, or the authenticator gives nothing: then the microservice enrols again.
 */
export function offerUnlock(
  asked: { credential: Uint8Array<ArrayBuffer>; salt: Uint8Array<ArrayBuffer> },
  at: { vault: string; authenticators: Authenticators },
): Promise<PasskeySecret | null> {
  const words = document.createElement("p");
  words.textContent = t("This vault's keys are under your passkey.");
  const unlock = makeButton("Unlock with your passkey");
  const without = makeButton("Go on without it");
  const status = document.createElement("p");
  status.setAttribute("role", "status");
  dress();
  const before = [...document.body.childNodes];
  document.body.replaceChildren(words, unlock, " ", without, status);
  return new Promise<PasskeySecret | null>((resolve) => {
    without.addEventListener("click", ({ isTrusted }) => isTrusted && resolve(null));
    unlock.addEventListener("click", async ({ isTrusted }) => {
      if (!isTrusted) return;
      unlock.disabled = true;
      status.textContent = "";
      const secret = await secretBy(asked, at);
      // Said no, or no such passkey is here: the browser does not tell these apart.
      if (secret === undefined) {
        status.textContent = t(
          "That did not unlock it. Try again, or go on without it: the vault then makes other keys.",
        );
        unlock.disabled = false;
        unlock.focus();
      } else resolve(secret);
    });
  }).finally(() => document.body.replaceChildren(...before));
}
