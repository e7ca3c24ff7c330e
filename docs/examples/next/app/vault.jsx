"use client";

import { defineCofferVault } from "@coffer/kit/vault";
import { useEffect, useRef, useState } from "react";

export function Vault() {
  const vault = useRef(null);
  const [said, say] = useState("");
  // React listens to no event of a tag that a server has rendered (react#35446): listen here, and have the tag come to life afterwards.
  useEffect(() => {
    const listening = new AbortController();
    const on = (event, listener) => vault.current.addEventListener(event, listener, listening);
    on("coffer-ready", ({ detail }) => say(detail.user ? `Welcome, ${detail.user}.` : "Sign in first."));
    on("coffer-error", ({ detail }) => say(detail.error.message));
    defineCofferVault();
    return () => listening.abort();
  }, []);
  return (
    <main>
      <coffer-vault ref={vault} />
      <output>{said}</output>
    </main>
  );
}
