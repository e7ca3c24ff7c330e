/** A page as the client's host. */

import type { SignInHost } from "../client/index.ts";
import type { OwnMicroservice } from "./custodian.ts";
import { createSignInStore } from "./store.ts";

/** For one vault; its frame goes into `container`, by default the document's body. `own`: a microservice in its place. */
export function browserHost(vault: string, container?: Element, own?: OwnMicroservice): SignInHost {
  const tabs = new BroadcastChannel(`coffer ${vault}`);
  return {
    app: location.origin,
    fetch: fetch.bind(globalThis),
    now: Date.now,
    lock: (name, work) => navigator.locks.request(name, work),
    store: createSignInStore(),
    custodian: async (...of) => (await import("./custodian.ts")).createCustodian(vault, own, ...of),
    // Of no use before somebody is signed in.
    openVault: async (patience) => {
      const { openVault } = await import("./custodian.ts");
      return openVault(vault, container ?? document.body, patience);
    },
    takeAnswer() {
      const here = new URL(location.href);
      const query = new URLSearchParams(here.search);
      if (!query.has("state") || !(query.has("code") || query.has("error"))) return undefined;
      // Out of the address first: a reload must not present a code again that works once.
      for (const name of ["code", "state", "iss", "error", "error_description"])
        here.searchParams.delete(name);
      history.replaceState(history.state, "", here);
      return query;
    },
    leave(url) {
      location.assign(url);
      return new Promise(() => {});
    },
    async endSession(url) {
      // The vault answers no one but itself, so nothing is read here.
      await fetch(url, {
        method: "POST",
        mode: "no-cors",
        credentials: "include",
        // Without it a page of policy `same-origin` sends the Origin `null` (Fetch, "append a request Origin header").
        referrerPolicy: "origin",
      }).catch(() => {});
    },
    tell: () => tabs.postMessage("signed-out"),
    onTold(listener) {
      tabs.onmessage = listener;
    },
  };
}
