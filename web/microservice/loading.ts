/** How a data key comes into the key ring. What is verified for each way is in protocol/keys/loading, as is their list. */

import { seconds } from "#protocol/clock.ts";
import { digest } from "#protocol/digest.ts";
import { CofferError } from "#protocol/error.ts";
import { type Load, type TrustList, type Verified, verifyLoad } from "#protocol/keys/index.ts";
import type { Subtle } from "./crypto.ts";
import { unwrapDataKey } from "./keys.ts";
import type { LoadedKey } from "./ring.ts";
import type { InstanceRecord } from "./store.ts";

/** Who loads: an enrolled instance. `now`: milliseconds since 1970. */
export type Loader = { subtle: Subtle; record: InstanceRecord; trust: TrustList; now: number };

/**
 * The key, never seen. Everything is verified under the pinned root BEFORE a key of the instance touches a byte. Throws
 * `key-refused`, with the reason as `cause`.
 */
export async function loadKey({ subtle, record, trust, now }: Loader, load: Load): Promise<LoadedKey> {
  let verified: Verified;
  try {
    const recipient = await digest(record.wrappingCertificate);
    verified = await verifyLoad(load, { trust, recipient, now: seconds(now) });
  } catch (cause) {
    throw new CofferError("key-refused", { cause });
  }
  const key = await unwrapDataKey(subtle, record.wrappingKey, verified);
  const { edk, receipt } = verified;
  return { key, edk, receipt };
}
