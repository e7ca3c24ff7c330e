/** How a data key comes into the key ring. What is verified for each way is in protocol/keys/loading, as is their list. */

import { seconds } from "#protocol/clock.ts";
import { digest } from "#protocol/digest.ts";
import { CofferError } from "#protocol/error.ts";
import {
  type Handed,
  type HandedOf,
  type Load,
  type LoadOf,
  type TrustList,
  type Verified,
  verifyLoad,
} from "#protocol/keys/index.ts";
import type { Crypto, Subtle } from "./crypto.ts";
import { type KeyServer, present } from "./presentation.ts";
import { retainedKeys } from "./retained.ts";
import type { LoadedKey } from "./ring.ts";
import { keysOfSeed } from "./seed.ts";
import { type OpenEnveloped, unwrapKeyOf } from "./signing-key.ts";
import type { InstanceRecord } from "./store.ts";

/** Who loads: an enrolled instance. `now`: milliseconds since 1970. */
export type Loader = {
  subtle: Subtle;
  record: InstanceRecord;
  trust: TrustList;
  now: number;
  /** What the receipt has to say of the channel that the key came over. */
  channel?: string | undefined;
  openEnveloped?: OpenEnveloped | undefined;
};

type Means = Crypto & {
  record: InstanceRecord;
  trust: TrustList;
  keyServer: KeyServer | undefined;
  now: number;
};
type Loads = { loads: LoadOf<"rewrap">[]; channel?: string };

const WAYS: { [W in Handed["way"]]: (handed: HandedOf<W>, means: Means) => Promise<Loads> } = {
  rewrap: async (load) => ({ loads: [load] }),
  several: async ({ keys }) => ({ loads: keys.map((key) => ({ way: "rewrap", ...key })) }),
  async grant(handed, { subtle, record, keyServer }) {
    if (!keyServer) throw new CofferError("key-missing");
    const recipient = await digest(record.wrappingCertificate);
    return present({ subtle, record, recipient }, handed, keyServer);
  },
  async seed(handed, { keyServer, ...means }) {
    if (!keyServer) throw new CofferError("key-missing");
    return keysOfSeed(means, handed, keyServer);
  },
  async retained(handed, { keyServer, ...means }) {
    if (!keyServer) throw new CofferError("key-missing");
    return { loads: await retainedKeys(means, handed, keyServer) };
  },
};

/** The keys of what was handed over, as each is to be verified and unwrapped: whichever way they come. */
export function loadsOf<H extends Handed>(handed: H, means: Means): Promise<Loads> {
  const way = WAYS[handed.way] as (handed: H, means: Means) => Promise<Loads>;
  return way(handed, means);
}

/**
 * The key, never seen. Everything is verified under the pinned root BEFORE a key of the instance touches a byte. Throws
 * `key-refused`, with the reason as `cause`.
 */
export async function loadKey(
  { subtle, record, trust, now, channel, openEnveloped }: Loader,
  load: Load,
): Promise<LoadedKey> {
  let verified: Verified;
  try {
    const { wrappingCertificate, former } = record;
    const at = async (certificate: Uint8Array<ArrayBuffer>) =>
      verifyLoad(load, { trust, recipient: await digest(certificate), now: seconds(now) });
    // Both certificates are for the one key of the instance.
    verified = await at(wrappingCertificate).catch((error: unknown) => {
      if (!former) throw error;
      return at(former);
    });
    if (channel !== undefined && verified.receipt.channel !== channel) throw new TypeError("another channel");
  } catch (cause) {
    throw new CofferError("key-refused", { cause });
  }
  const { edk, receipt } = verified;
  const key = await unwrapKeyOf(subtle, record, verified, edk, openEnveloped);
  return { key, edk, receipt, load, wrapping: verified.wrapping };
}
