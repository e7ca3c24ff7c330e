/** Random bytes of the platform's generator. No key is made of them here: keys come from the KMS. */

import { encodeBase64url } from "#protocol/base64url.ts";
import type { CryptoOperations } from "#protocol/operations/index.ts";
import type { Means } from "./means.ts";

export function randomness({ random }: Means): Pick<CryptoOperations, "random"> {
  return {
    async random({ length }) {
      return { bytes: encodeBase64url(random(new Uint8Array(length))) };
    },
  };
}
