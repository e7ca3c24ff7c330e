/**
 * Stateless mode (M10): loaded keys are encrypted under the local master key, which is made here and stays here, and given to the
 * custodian; no copy is kept. Each later request brings its key, which is unwrapped, used once and dropped.
 */

import { CofferError } from "#protocol/error.ts";
import { jwsParts } from "#protocol/jws.ts";
import { type Edk, edkProviderInfo, wrappedOf } from "#protocol/keys/index.ts";
import { KEY_OPERATIONS, narrow } from "#protocol/policy/index.ts";
import type { Crypto, Subtle } from "./crypto.ts";
import { openLocalKey, sealLocalKey } from "./local-key.ts";
import { endOf, type LoadedKey } from "./ring.ts";
import { type OpenEnveloped, unwrapKeyOf } from "./signing-key.ts";
import { type InstanceRecord, lineOf } from "./store.ts";

const AES = { name: "AES-GCM", length: 256 };

/** AES-GCM, 256 bits. It lives as long as the instance: what is under it is of use to no other. */
export async function generateLocalKey(subtle: Subtle): Promise<CryptoKey> {
  const key = (await subtle.generateKey(AES, false, ["encrypt", "decrypt"])) as CryptoKey;
  checkLocalKey(key);
  return key;
}

/** Throws `key-unusable` unless it is exactly what it must be. */
export function checkLocalKey(key: CryptoKey): void {
  if (key.extractable !== false || key.algorithm.name !== AES.name) throw new CofferError("key-unusable");
}

/**
 * A loaded key for the custodian to keep. What its policies allow now goes with it, for this
 * custodian alone, and until the first of them ends.
 */
export async function entrust(
  { subtle, random }: Crypto,
  record: InstanceRecord,
  loaded: LoadedKey,
): Promise<string> {
  const { receipt, load } = loaded;
  if (!receipt || !load) throw new CofferError("key-missing");
  const end = Math.floor(endOf(loaded) / 1000);
  const bounds = { operations: [...KEY_OPERATIONS], principals: [record.custodian], expires: end };
  const policy = narrow(narrow(loaded.edk.policy, receipt.policy), bounds);
  const of = { kid: edkProviderInfo(loaded.edk), instance: lineOf(record), policy };
  return sealLocalKey(subtle, localKeyOf(record), random(new Uint8Array(12)), of, {
    edk: load.edk,
    wrappedKey: load.wrappedKey,
  });
}

/**
 * The key of one request, and its EDK. Whatever is wrong with it (altered, another instance's) is `key-refused`; its policy is for
 * who uses it to ask.
 */
export async function entrustedKey(
  subtle: Subtle,
  record: InstanceRecord,
  token: string,
  openEnveloped?: OpenEnveloped,
): Promise<LoadedKey & { jws: string }> {
  const localKey = localKeyOf(record);
  const opened = await openLocalKey(subtle, localKey, token, lineOf(record)).catch((cause: unknown) => {
    throw new CofferError("key-refused", { cause });
  });
  const { edk: jws, wrappedKey, policy } = opened;
  // It was verified when it was loaded; since then nobody but this instance can have written it.
  const edk = JSON.parse(new TextDecoder().decode(jwsParts(jws).payload)) as Edk;
  const wrapped = wrappedOf(wrappedKey);
  const key = await unwrapKeyOf(subtle, record, wrapped, edk, openEnveloped);
  return { key, edk, receipt: { policy, exp: policy.expires ?? 0 }, jws, wrapping: wrapped.wrapping };
}

function localKeyOf({ localKey }: InstanceRecord): CryptoKey {
  // Of an instance that earlier code has enrolled: it ends within a day.
  if (!localKey) throw new CofferError("key-missing");
  return localKey;
}
