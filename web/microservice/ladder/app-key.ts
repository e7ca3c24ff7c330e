/**
 * A symmetric app-specific key (W1): the HSM has made it for this instance and gives it once, over a channel, encrypted to the wrapping
 * key; so it is kept. It is unwrapped each time that it unwraps, into a handle that cannot be exported.
 */

import { digest } from "#protocol/digest.ts";
import { type ChannelOf, channelDigest, channelInfo, type MasterReceipt } from "#protocol/keys/index.ts";
import { openChannel } from "../channel.ts";
import type { Subtle } from "../crypto.ts";
import type { WrappingKey } from "../device.ts";
import type { AppKeyCopy } from "../store.ts";
import type { ReleasedKey } from "./authorities.ts";
import { unwrapReleasedKey } from "./links.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** Where the instance has it kept. */
export type AppKeyStore = {
  read(): Promise<AppKeyCopy | undefined>;
  /** In the place of an earlier one. */
  keep(copy: AppKeyCopy): Promise<void>;
};

/** What the instance asked by: its share, and what it holds. */
type Asked = { of: ChannelOf; privateKey: CryptoKey; held: AppKeyCopy | undefined };

/** The key that the receipt names: the one that is held, or the one that came with the answer. Throws where it is neither. */
export async function namedAppKey(
  subtle: Subtle,
  { id, digest: named, channel }: NonNullable<MasterReceipt["appKey"]>,
  sealed: ReleasedKey["appKey"],
  { of, privateKey, held }: Asked,
): Promise<AppKeyCopy> {
  const copy = sealed
    ? { id, wrapped: await openChannel(subtle, privateKey, await channelInfo(of), sealed) }
    : held;
  if (sealed && channel !== (await channelDigest(of, sealed.share))) throw new TypeError("another channel");
  if (copy?.id !== id || named !== (await digest(copy.wrapped))) throw new TypeError("another key");
  return copy;
}

/** What it unwraps by: AES Key Wrap. The private half of a pair stands under it as under a content-encryption key. */
export function symmetric(subtle: Subtle, wrappingKey: WrappingKey, appKey: Bytes): WrappingKey {
  return {
    unwrapKey: async (wrapped, as, usage) => {
      const by = await unwrapReleasedKey(subtle, wrappingKey, appKey);
      return subtle.unwrapKey("raw", wrapped, by, "AES-KW", as, false, [usage]);
    },
  };
}
