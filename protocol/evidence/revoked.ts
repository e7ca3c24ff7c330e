import { encodeHex } from "../bytes.ts";
import { sha256 } from "../digest.ts";
import type { Expectation } from "./format.ts";

/** Throws an `Error` where one of the keys (SubjectPublicKeyInfo, DER) is among those that are revoked. */
export async function checkNotRevoked(
  keys: readonly Uint8Array[],
  { revoked = [] }: Pick<Expectation, "revoked">,
): Promise<void> {
  if (revoked.length === 0) return;
  for (const key of keys)
    if (revoked.includes(encodeHex(await sha256(key.slice()))))
      throw new Error("a key of the platform is revoked");
}
