/**
 * Under a data key that is a pair (W1): each message has a secret of its own, wrapped to the public half. Anyone can wrap one to it, so
 * what is wrapped is encrypted once more, by AES-256-GCM under a key that HKDF-SHA-512 derives from the version's secret: only who has the
 * private half could do that, and nobody without it can put together a message that opens.
 */

import { utf8 } from "#protocol/bytes.ts";
import { CofferError } from "#protocol/error.ts";
import type { AccountEdk } from "#protocol/keys/index.ts";
import type { Crypto, Subtle } from "../crypto.ts";
import { type DataPair, makeWrappedKey, unwrapDataKey } from "./links.ts";
import { takeOff, wrapOnceMore } from "./second-layer.ts";

type Bytes = Uint8Array<ArrayBuffer>;
/** A data key that is a pair, and its EDK. */
export type PairOfEdk = DataPair & { edk: AccountEdk };

const LABEL = /* @__PURE__ */ utf8("coffer-document-secret-v1");

/** 412 bytes: IV, RSA-OAEP of 32 random bytes encrypted once more, tag. */
export async function makeSecret(crypto: Crypto, pair: PairOfEdk): Promise<Bytes> {
  const wrapped = await makeWrappedKey(crypto.subtle, pair.publicKey);
  return wrapOnceMore(crypto, pair.secret, pair.edk, wrapped, LABEL);
}

/** The key that the message's are derived from. Throws `decrypt-failed` for what was not made by `makeSecret` under this very pair. */
export async function openSecret(subtle: Subtle, pair: PairOfEdk, made: Bytes): Promise<CryptoKey> {
  try {
    return await unwrapDataKey(subtle, pair.key, await takeOff(subtle, pair.secret, pair.edk, made, LABEL));
  } catch (cause) {
    throw new CofferError("decrypt-failed", { cause });
  }
}
