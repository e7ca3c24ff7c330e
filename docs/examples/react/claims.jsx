// The vault as a tag in a React component (19, which has custom elements), and a form whose files are sealed before it is sent.

import { defineCofferVault } from "@coffer/kit/vault";
import { useRef, useState } from "react";

// On a server it does nothing.
defineCofferVault();

export function Claims({ action = "/claims" }) {
  const vault = useRef(null);
  const [said, say] = useState("");

  async function send(event) {
    event.preventDefault();
    const form = event.currentTarget;
    try {
      const { data, documents } = await vault.current.sealFormData(new FormData(form));
      await fetch(action, { method: "POST", body: data });
      say(`Sent, with ${documents.length} sealed.`);
      await vault.current.refresh();
    } catch (error) {
      say(error instanceof Error ? error.message : "Not sent.");
    }
  }

  return (
    <main>
      <coffer-vault
        ref={vault}
        oncoffer-ready={({ detail }) => say(detail.user ? `Welcome, ${detail.user}.` : "Sign in first.")}
        oncoffer-error={({ detail }) => say(detail.error.message)}
      />
      <form onSubmit={send}>
        <input name="proof" type="file" aria-label="Proof" multiple />
        <button type="submit">Send the claim</button>
      </form>
      <output>{said}</output>
    </main>
  );
}
