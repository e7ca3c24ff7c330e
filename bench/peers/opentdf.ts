import { collect } from "../documents/measure.ts";
import { inPieces, type Peer, streamOf } from "./peer.ts";

const RSA: RsaHashedKeyGenParams = {
  name: "RSA-OAEP",
  modulusLength: 2048,
  publicExponent: new Uint8Array([1, 0, 1]),
  hash: "SHA-1",
};

/** Seals to the public key of a server that is not there, and opens nothing: that server has the private key, and each opening asks it. */
export async function opentdf(): Promise<Peer> {
  // It is written for pages: as it is loaded it looks for one, of which it uses nothing here.
  const page = {
    window: { isSecureContext: true, location: { href: "https://bench.invalid/" } },
    document: { documentElement: { style: {} } },
  };
  Object.assign(globalThis, page);
  const { TDF3Client } = await import("@opentdf/client");
  for (const name of Object.keys(page)) Reflect.deleteProperty(globalThis, name);
  const { publicKey } = await crypto.subtle.generateKey(RSA, true, ["encrypt", "decrypt"]);
  const spki = btoa(String.fromCharCode(...new Uint8Array(await crypto.subtle.exportKey("spki", publicKey))));
  const client = new TDF3Client({
    clientId: "bench",
    kasEndpoint: "https://kas.invalid",
    kasPublicKey: `-----BEGIN PUBLIC KEY-----\n${spki.replaceAll(/.{64}/g, "$&\n")}\n-----END PUBLIC KEY-----\n`,
    authProvider: {
      updateClientPublicKey: async () => {},
      withCreds: async (request) => request,
    },
  });
  return {
    async seal(bytes) {
      const source = streamOf(inPieces(bytes));
      const scope = { attributes: [], dissem: [] };
      const { stream } = await client.encrypt({ source, offline: true, scope });
      return collect(stream);
    },
  };
}
