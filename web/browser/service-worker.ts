/** The app's Service Worker (M15): registers it, and lends it this page's microservice whenever it has none. */

import { LOAN, type Loan, WANTED } from "#protocol/lent.ts";
import type { Coffer } from "../client/index.ts";

export { type PlayOptions, playFrom } from "./media.ts";

/** Where the Service Worker is served; its scope is the whole origin, and it answers below `/microservice/` alone. */
const SCRIPT = "/service-worker.js";

type TrustedTypes = {
  createPolicy(
    name: string,
    rules: { createScriptURL(url: string): string },
  ): { createScriptURL(url: string): string };
};

/**
 * From now on requests of this origin to `/microservice/…` are answered as the service contract says, by the microservice of a page that
 * lives. Resolves once this page is one of them. Errors: what registration throws; `not-signed-in`.
 *
 * @example
 * await serveByServiceWorker(coffer);
 * const answer = await fetch("/microservice/operations/random", { method: "POST", … });
 */
export async function serveByServiceWorker(coffer: Coffer): Promise<void> {
  const container = navigator.serviceWorker;
  const lend = async (worker: ServiceWorker | null) => {
    const { identity } = coffer;
    if (!worker || !identity) return;
    const { port1, port2 } = new MessageChannel();
    await coffer.lend(port1);
    const loan: Loan = { type: LOAN, custodian: identity.custodian.dn };
    worker.postMessage(loan, [port2]);
  };
  container.addEventListener("message", ({ data, source }) => {
    // A Service Worker that was stopped meanwhile has forgotten its port.
    if (data?.type === WANTED && source instanceof ServiceWorker) void lend(source).catch(() => {});
  });
  await lend(await registered());
}

/** Registers the Service Worker if it isn't yet, and resolves with the one that answers this page's requests. */
export async function registered(): Promise<ServiceWorker | null> {
  const container = navigator.serviceWorker;
  container.startMessages();
  await container.register(trusted(SCRIPT));
  const { active } = await container.ready;
  if (!container.controller)
    await new Promise((resolve) => container.addEventListener("controllerchange", resolve, { once: true }));
  return active;
}

let policy: ReturnType<TrustedTypes["createPolicy"]> | undefined;

function trusted(url: string): string {
  const { trustedTypes } = globalThis as { trustedTypes?: TrustedTypes };
  // A page makes a policy of a name once.
  policy ??= trustedTypes?.createPolicy("service-worker", {
    createScriptURL(asked) {
      if (asked !== SCRIPT) throw new TypeError("not the Service Worker");
      return asked;
    },
  });
  return policy ? policy.createScriptURL(url) : url;
}
