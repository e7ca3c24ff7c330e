/** Digests (FIPS 180-4). They need no key, so no instance either. */

import { decodeBase64url, encodeBase64url } from "#protocol/base64url.ts";
import type { CryptoOperations } from "#protocol/operations/index.ts";
import type { Means } from "./means.ts";

export function hashing({ subtle }: Means): Pick<CryptoOperations, "hash"> {
  return {
    async hash({ algorithm, data }) {
      const hashed = await subtle.digest(algorithm, decodeBase64url(data));
      return { digest: encodeBase64url(new Uint8Array(hashed)) };
    },
  };
}
