import { decodeBase64url } from "#protocol/base64url.ts";
import { seconds } from "#protocol/clock.ts";
import { digest } from "#protocol/digest.ts";
import { CofferError } from "#protocol/error.ts";
import { type Edk, type Load, type Receipt, verifyEdk, verifyReceipt } from "#protocol/keys/index.ts";
import { unwrapDataKey } from "../keys.ts";
import type { LoadedKey } from "../ring.ts";
import type { Loader } from "./loader.ts";

/** Bytes of an RSA-OAEP ciphertext under a 3072 to 4096 bit key. */
const MIN_WRAPPED = 384;
const MAX_WRAPPED = 512;

/**
 * Loading by rewrap (M8): verifies EDK and receipt, then unwraps. Anyone who holds the certificate can wrap a key of their
 * own to it, so without the KMS's receipt nothing is unwrapped.
 */
export async function unwrapRewrapped(
  { subtle, instance, trust, now }: Loader,
  load: Extract<Load, { way: "rewrap" }>,
): Promise<LoadedKey> {
  const time = seconds(now);
  let edk: Edk;
  let receipt: Receipt;
  let wrappedKey: Uint8Array<ArrayBuffer>;
  try {
    wrappedKey = decodeBase64url(load.wrappedKey);
    const recipient = await digest(instance.wrappingCertificate);
    [edk, receipt] = await Promise.all([
      verifyEdk(load.edk, trust, time),
      verifyReceipt(load.receipt, trust, { wrappedKey, edk: load.edk, recipient, now: time }),
    ]);
    if (receipt.keyId !== edk.keyId || receipt.keyVersion !== edk.keyVersion)
      throw new TypeError("another key");
    if (receipt.tenant !== edk.tenant || receipt.account !== edk.account)
      throw new TypeError("another account");
    const { length } = wrappedKey;
    if (length < MIN_WRAPPED || length > MAX_WRAPPED) throw new TypeError("not a wrapped key");
  } catch (cause) {
    throw new CofferError("key-refused", { cause });
  }
  const key = await unwrapDataKey(subtle, instance.wrappingKey, wrappedKey);
  return { way: load.way, key, edk, receipt };
}
