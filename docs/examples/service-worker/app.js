// A page whose programs reach the microservice by REST: what they ask of /microservice/… the app's Service Worker answers.
// The edge serves it at /service-worker.js on every app's origin; an app that serves its own files copies it from
// node_modules/@coffer/kit/dist/package/web/app/service-worker.js to that address.
import { connect } from "@coffer/kit";
import { serveByServiceWorker } from "@coffer/kit/service-worker";

/**
 * Once in each page.
 * @param {string} vault The origin of the vault.
 */
export async function start(vault) {
  const coffer = await connect({ vault });
  if (!coffer.identity) return coffer.signIn();
  await serveByServiceWorker(coffer);
}

/**
 * From then on in any script of the app.
 * @param {string} data Bytes in base64url, as the digest is.
 * @returns {Promise<string>}
 */
export async function digestOf(data) {
  const response = await fetch("/microservice/operations/hash", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ algorithm: "SHA-256", data }),
  });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.code);
  return answer.digest;
}
