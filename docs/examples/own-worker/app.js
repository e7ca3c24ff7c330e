// The app's page: the kit, with the microservice of worker.js in the place of the vault's.
import { connect } from "@coffer/kit";

/** @typedef {{ createPolicy(name: string, rules: { createScriptURL(url: string): string }): { createScriptURL(url: string): string } }} TrustedTypes */

const SCRIPT = "/worker.js";
const { trustedTypes } = /** @type {{ trustedTypes?: TrustedTypes }} */ (globalThis);
const policy = trustedTypes?.createPolicy("own-worker", {
  createScriptURL(url) {
    if (url !== SCRIPT) throw new TypeError("not the microservice");
    return url;
  },
});

/**
 * Starts a microservice for who is signed in.
 * @param {Uint8Array<ArrayBuffer>} rootKey Of the deployment, DER: a part of what the app is built of.
 * @param {{ tenant: string, user: { id: string } }} identity
 */
export function startMicroservice(rootKey, { tenant, user }) {
  const worker = new Worker(policy ? policy.createScriptURL(SCRIPT) : SCRIPT, { type: "module" });
  const { port1: port, port2 } = new MessageChannel();
  worker.postMessage({ rootKey, tenant, user: user.id }, [port2]);
  return { port, remove: () => worker.terminate() };
}

/**
 * @param {string} vault The origin of the vault, where people sign in.
 * @param {Uint8Array<ArrayBuffer>} rootKey
 */
export async function start(vault, rootKey) {
  const coffer = await connect({ vault, microservice: (identity) => startMicroservice(rootKey, identity) });
  if (!coffer.identity) await coffer.signIn();
  return coffer;
}
