/** The app's Service Worker (M15): lends it this page's microservice whenever it has none. */

import { LOAN, type Loan, WANTED } from "#protocol/lent.ts";
import type { Coffer } from "../client/index.ts";
import { registered } from "./registration.ts";

export { isPlayable } from "#protocol/media.ts";
export { type PlayOptions, playFrom } from "./media.ts";

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
