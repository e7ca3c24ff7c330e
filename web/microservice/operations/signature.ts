/** Signatures over the data itself, each by the one algorithm of its key; a key that signs does nothing else. */

import { decodeBase64url, encodeBase64url } from "#protocol/base64url.ts";
import { CofferError } from "#protocol/error.ts";
import { type Edk, isSignature } from "#protocol/keys/index.ts";
import type { CryptoOperations } from "#protocol/operations/index.ts";
import { verifySignature, WEB_SIGNATURES } from "#protocol/signatures.ts";
import type { Means } from "./means.ts";

export function signatures({ subtle, key }: Means): Pick<CryptoOperations, "sign" | "verify" | "publicKey"> {
  return {
    async sign({ key: name, data }) {
      const { key: privateKey, edk } = await key(name, "sign");
      const { sign } = WEB_SIGNATURES[publicHalf(edk).algorithm];
      const signature = new Uint8Array(await subtle.sign(sign, privateKey, decodeBase64url(data)));
      return { signature: encodeBase64url(signature) };
    },
    async verify({ key: name, data, signature }) {
      const { algorithm, publicKey } = publicHalf((await key(name, "verify")).edk);
      const by = { algorithm, publicKey: decodeBase64url(publicKey) };
      const of = { data: decodeBase64url(data), signature: decodeBase64url(signature) };
      return { valid: await verifySignature(subtle, by, of) };
    },
    async publicKey({ key: name }) {
      return publicHalf((await key(name, "verify")).edk);
    },
  };
}

function publicHalf({ algorithm, signing }: Edk) {
  // Whoever may sign or verify with a key has one of that kind.
  if (!signing || !isSignature(algorithm)) throw new CofferError("key-unusable");
  return { algorithm, publicKey: signing.publicKey };
}
