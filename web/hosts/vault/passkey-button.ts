import { dress } from "./look.ts";
import { type Authenticators, openRegistration, register } from "./passkey.ts";
import { t, type Words } from "./words.ts";

const WORDS: Record<string, Words> = {
  registered: "The passkey is added.",
  refused: "No passkey was added.",
  "no-session": "Sign in again first.",
  conflict: "This passkey is there already, or there are too many.",
  "attestation-refused": "This passkey is not taken here.",
  offline: "There is no network.",
};

/**
 * Shows the button by which a person registers a passkey: browsers make one in a frame by a click inside it alone. `told` hears what came of
 * each press. The challenge is there before the press, which the browser must see as the cause of what follows.
 */
export function offerPasskey(
  at: { vault: string; authenticators: Authenticators; send: typeof fetch },
  told: (outcome: string) => void,
): void {
  const button = makeButton("Add a passkey");
  const status = document.createElement("p");
  status.setAttribute("role", "status");
  dress();
  document.body.replaceChildren(button, status);
  let opened = openRegistration(at.send);
  button.addEventListener("click", async ({ isTrusted }) => {
    if (!isTrusted) return;
    button.disabled = true;
    status.textContent = "";
    const outcome = await register(at, opened).catch(() => "refused");
    // The next press needs another challenge.
    opened = openRegistration(at.send);
    button.disabled = false;
    status.textContent = t(WORDS[outcome] ?? "That did not work. Try again.");
    button.focus();
    told(outcome);
  });
  told("ready");
}

export function makeButton(label: Words): HTMLButtonElement {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = t(label);
  return button;
}
