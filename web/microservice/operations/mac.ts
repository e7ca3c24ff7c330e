/**
 * HMAC-SHA-256 (FIPS 198-1). Its key is derived from the data key by HKDF-SHA-512 (RFC 5869) under an info of its own, so a data
 * key enters the same way whatever it is for, and no message of the document format comes out of this one.
 */

import { decodeBase64url, encodeBase64url } from "#protocol/base64url.ts";
import { MAC_INFO } from "#protocol/derived.ts";
import { CofferError } from "#protocol/error.ts";
import type { CryptoOperations } from "#protocol/operations/index.ts";
import type { Subtle } from "../crypto.ts";
import type { Means } from "./means.ts";

const HMAC = { name: "HMAC", hash: "SHA-256", length: 256 };

export function macs({ subtle, key }: Means): Pick<CryptoOperations, "mac" | "macVerify"> {
  return {
    async mac({ key: edk, data }) {
      const derived = await deriveMacKey(subtle, (await key(edk, "mac")).key, "sign");
      return {
        mac: encodeBase64url(new Uint8Array(await subtle.sign("HMAC", derived, decodeBase64url(data)))),
      };
    },
    async macVerify({ key: edk, data, mac }) {
      const derived = await deriveMacKey(subtle, (await key(edk, "macVerify")).key, "verify");
      return { valid: await subtle.verify("HMAC", derived, decodeBase64url(mac), decodeBase64url(data)) };
    },
  };
}

/** 32 bytes for HMAC that nobody can export. Throws `key-unusable`. */
async function deriveMacKey(
  subtle: Subtle,
  dataKey: CryptoKey,
  usage: "sign" | "verify",
): Promise<CryptoKey> {
  const hkdf = { name: "HKDF", hash: "SHA-512", salt: new Uint8Array(), info: MAC_INFO };
  const derived = await subtle.deriveKey(hkdf, dataKey, HMAC, false, [usage]);
  if (derived.extractable !== false || derived.usages.join() !== usage) throw new CofferError("key-unusable");
  return derived;
}
