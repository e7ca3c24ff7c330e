/** Loading a data key (M8): everything is verified under the pinned root BEFORE the wrapping key touches a byte. */
import { CofferError } from "#protocol/error.ts";
import {
  digest,
  type Edk,
  type Receipt,
  type TrustList,
  verifyEdk,
  verifyReceipt,
} from "#protocol/keys/index.ts";
import type { Subtle } from "./crypto.ts";
import { unwrapDataKey } from "./keys.ts";
import type { LoadedKey } from "./ring.ts";
import type { InstanceRecord } from "./store.ts";

/** Bytes of an RSA-OAEP ciphertext under a 3072 to 4096 bit key. */
const MIN_WRAPPED = 384;
const MAX_WRAPPED = 512;

export type Load = { edk: string; wrappedKey: Uint8Array<ArrayBuffer>; receipt: string };

/**
 * Verifies EDK and receipt, then unwraps. Throws `key-refused`, with the reason as `cause`: anyone who holds the
 * certificate can wrap a key of their own to it, so without the KMS's receipt nothing is unwrapped.
 */
export async function loadKey(
  subtle: Subtle,
  instance: InstanceRecord,
  trust: TrustList,
  load: Load,
  now: number,
): Promise<LoadedKey> {
  const seconds = Math.floor(now / 1000);
  let edk: Edk;
  let receipt: Receipt;
  try {
    const recipient = await digest(instance.wrappingCertificate);
    [edk, receipt] = await Promise.all([
      verifyEdk(load.edk, trust, seconds),
      verifyReceipt(load.receipt, trust, {
        wrappedKey: load.wrappedKey,
        edk: load.edk,
        recipient,
        now: seconds,
      }),
    ]);
    if (receipt.keyId !== edk.keyId || receipt.keyVersion !== edk.keyVersion)
      throw new TypeError("another key");
    if (receipt.tenant !== edk.tenant || receipt.account !== edk.account)
      throw new TypeError("another account");
    const { length } = load.wrappedKey;
    if (length < MIN_WRAPPED || length > MAX_WRAPPED) throw new TypeError("not a wrapped key");
  } catch (cause) {
    throw new CofferError("key-refused", undefined, { cause });
  }
  return { key: await unwrapDataKey(subtle, instance.wrappingKey, load.wrappedKey), edk, receipt };
}
