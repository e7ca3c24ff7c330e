/** Data keys (M6): made in the HSM under the account key, one batch for all of a request. */

import { encodeBase64url } from "#protocol/base64url.ts";
import { type AccountEdk, isPairLength, type SignatureAlgorithm } from "#protocol/keys/index.ts";
import { type Hsm, UnexpectedAnswer } from "../hsm/index.ts";
import {
  importAccountKey,
  type Ledger,
  type Master,
  makeSigningPair,
  makeUnder,
  retire,
  runBatch,
  signingPair,
  underMaster,
  type WrappedAccountKey,
  type WrappedSigningPair,
  wrappedKeys,
} from "../hsm/keys/index.ts";

/**
 * Makes `count` AES-256 sized keys and returns each wrapped under the account key: 40 bytes, or 384 under a pair. The batch: Import the
 * account key; for each data key Create, Get wrapped and Destroy; Revoke and Destroy the account key.
 */
export async function makeDataKeys(
  hsm: Pick<Hsm, "batch">,
  ledger: Ledger,
  key: WrappedAccountKey,
  count: number,
  now: number,
): Promise<Uint8Array<ArrayBuffer>[]> {
  const account = crypto.randomUUID();
  const byPair = key.publicKey !== null;
  const answers = await runBatch(hsm, ledger, (name) => [
    ...importAccountKey(key, { id: account, name, now }),
    ...Array.from({ length: count }, () =>
      makeUnder(account, { class: "data", name: name(), byPair }),
    ).flat(),
    ...retire(account),
  ]);
  return checked(wrappedKeys(answers, byPair), count);
}

/** The same of the tenant itself: each wrapped under its master key by AES Key Wrap with Padding, 40 bytes, or 384 under a pair. */
export async function makeOwnDataKeys(
  hsm: Pick<Hsm, "batch">,
  ledger: Ledger,
  master: Master,
  count: number,
): Promise<Uint8Array<ArrayBuffer>[]> {
  const answers = await runBatch(hsm, ledger, (name) =>
    Array.from({ length: count }, () =>
      makeUnder(master.id, { class: "data", name: name(), by: underMaster(master) }),
    ).flat(),
  );
  return checked(wrappedKeys(answers, master.isPair), count);
}

/** Key pairs that sign (M17), one batch each: an RSA pair takes the HSM a second. */
export async function makeSigningPairs(
  hsm: Pick<Hsm, "batch">,
  ledger: Ledger,
  key: WrappedAccountKey,
  { kind, count, now }: { kind: SignatureAlgorithm; count: number; now: number },
): Promise<WrappedSigningPair[]> {
  const made: WrappedSigningPair[] = [];
  while (made.length < count)
    made.push(signingPair(await runBatch(hsm, ledger, (name) => makeSigningPair(key, { kind, name, now }))));
  checked(
    made.map(({ wrapped }) => wrapped),
    count,
  );
  return made;
}

function checked(keys: Uint8Array<ArrayBuffer>[], count: number): Uint8Array<ArrayBuffer>[] {
  if (keys.length !== count || new Set(keys.map(encodeBase64url)).size !== count) {
    throw new UnexpectedAnswer("the HSM did not make the keys that were asked for");
  }
  return keys;
}

/**
 * What the EDK says of how its data key stands under this account key. What an instance has `made` is a pair where it is longer than any
 * other data key.
 */
export function wrappingUnder(
  { publicKey }: Pick<WrappedAccountKey, "publicKey">,
  made?: Uint8Array,
): Exclude<AccountEdk["wrapping"], "retained"> {
  const isPair = made !== undefined && isPairLength(made.length);
  if (isPair) return publicKey === null ? "A256GCM" : "RSA-OAEP-256+A256GCM";
  return publicKey === null ? "A256KW" : "RSA-OAEP-256";
}
