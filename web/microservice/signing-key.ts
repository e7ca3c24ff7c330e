/**
 * The private half of a pair that signs (M17): PKCS#8 in its EDK, under the key that came to the instance. It is unwrapped for `sign` alone,
 * and its bytes are never seen by any code.
 */

import { decodeBase64url } from "#protocol/base64url.ts";
import { CofferError } from "#protocol/error.ts";
import { type Edk, isSignature, type Wrapped } from "#protocol/keys/index.ts";
import { WEB_SIGNATURES } from "#protocol/signatures.ts";
import type { Subtle } from "./crypto.ts";
import type { WrappingKey } from "./device.ts";
import { unwrapDataKey } from "./keys.ts";
import type { InstanceRecord } from "./store.ts";

const AES = [{ name: "AES-GCM", length: 256 }, "unwrapKey"] as const;
const NONCE = 12;

/** The data key in CMS EnvelopedData to that key (`enveloped.ts`, M19): the code of a host that may be an enclave. */
export type OpenEnveloped = (
  subtle: Subtle,
  wrappingKey: WrappingKey,
  cms: Uint8Array<ArrayBuffer>,
) => Promise<CryptoKey>;

/** The key of an EDK that came to this instance, as what it is for. Errors: `key-refused`, `key-unusable`. */
export async function unwrapKeyOf(
  subtle: Subtle,
  own: Pick<InstanceRecord, "wrappingKey" | "hybrid">,
  wrapped: Wrapped,
  { algorithm, signing }: Edk,
  openEnveloped?: OpenEnveloped,
): Promise<CryptoKey> {
  if (wrapped.cms && openEnveloped) return openEnveloped(subtle, own.wrappingKey, wrapped.wrappedKey);
  if (!signing || !isSignature(algorithm)) return unwrapDataKey(subtle, own, wrapped);
  const by = await unwrapDataKey(subtle, own, wrapped, AES);
  const bytes = decodeBase64url(signing.privateKey);
  const gcm = { name: "AES-GCM", iv: bytes.slice(0, NONCE) };
  const { keys } = WEB_SIGNATURES[algorithm];
  const key = await subtle
    .unwrapKey("pkcs8", bytes.slice(NONCE), by, gcm, keys, false, ["sign"])
    .catch((cause: unknown) => {
      // An engine without the algorithm says so; anything else is wrong with the key.
      const isUnknown = cause instanceof Error && cause.name === "NotSupportedError";
      throw new CofferError(isUnknown ? "key-unusable" : "key-refused", { cause });
    });
  if (key.extractable !== false || key.usages.join() !== "sign") throw new CofferError("key-unusable");
  return key;
}
