/** Enc(master) for an instance, as the HSM keeps it: made once, found again by the object of the principal whom the instance serves. */

import { concat } from "#protocol/bytes.ts";
import { encryptedMasterKeyName } from "#protocol/hierarchy/index.ts";
import type { ResponseItem } from "#protocol/kmip/index.ts";
import { wakeBy } from "../alarm.ts";
import type { Enrolled } from "../enrolled.ts";
import { UnexpectedAnswer } from "../hsm/index.ts";
import {
  getPrivateByCek,
  getWrapped,
  isGone,
  keepWrapped,
  keyValueOf,
  lookAfter,
  markOf,
  readKept,
  recipientKeyOf,
  runBatch,
  sweep,
  toRecipient,
  underGcm,
} from "../hsm/keys/index.ts";
import type { Kept } from "./cache/index.ts";
import type { Context } from "./context.ts";
import { currentMasterKey, masterNamed } from "./master-key.ts";
import type { EncryptedMaster } from "./master-release.ts";

/** A part of the migrations of a principal's object. `until`: end of the instance's certificates, seconds since 1970. */
export const MASTERS_TABLE = `
  -- Enc(master) of instances: identifiers of the object that the HSM keeps, and of the master key in it. No key byte.
  CREATE TABLE encrypted_masters (
    instance TEXT PRIMARY KEY, hsm TEXT NOT NULL, master TEXT NOT NULL, until INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
`;

/** Another part. `cek`: bytes of the content-encryption key, which stands before the private half where the master key is a pair. */
export const MASTERS_CEK_COLUMN = "ALTER TABLE encrypted_masters ADD COLUMN cek INTEGER;";

type Row = { hsm: string; master: string; cek: number | null };

/** Those that one alarm removes. */
const MAX_REMOVED = 20;

/** What the HSM keeps for the instance, or keeps from now on. Throws what the HSM throws. */
export async function fetchMaster(kms: Context, enrolled: Enrolled): Promise<Kept<EncryptedMaster>> {
  const { store, hsm } = kms;
  const master = await masterOf(kms);
  const row = find(store.sql, enrolled.instance);
  if (row?.master === master) {
    const [got, kept, whole] = await hsm.batch([...readKept(row.hsm), lookAfter(master)], {
      batchErrorContinuationOption: "Continue",
    });
    if (!isGone(got)) {
      const value = { keyId: master, ...partsOf(keyValueOf(got), row.cek) };
      return { value, mark: mark(row, markOf(kept), markOf(whole)) };
    }
  }
  return makeMaster(kms, enrolled, master);
}

/** Rotations that one tenant may go back. */
const MAX_HOPS = 16;

/**
 * An earlier master key of the tenant for the instance, while the officer has not retired it (W14): it is wrapped when it is asked
 * for, and not kept. Null for any other object. Throws what the HSM throws.
 */
export async function fetchEarlierMaster(
  kms: Context,
  { hsmKey }: Enrolled,
  id: string,
): Promise<EncryptedMaster | null> {
  let key = await masterOf(kms);
  for (let hop = 0; key !== id; hop++) {
    const earlier: string | null = hop === MAX_HOPS ? null : await replacedBy(kms, key);
    if (earlier === null) return null;
    key = earlier;
  }
  return { keyId: key, ...(await wrapTo(kms, key, hsmKey)).wrapped };
}

/** A master key of either kind for a recipient, and what tells whether it changes from then on. Throws what the HSM throws. */
async function wrapTo(
  { hsm, ledger }: Pick<Context, "hsm" | "ledger">,
  master: string,
  recipient: string,
): Promise<{ wrapped: Wrapped; whole: ResponseItem | undefined }> {
  const by = toRecipient(recipient);
  if (!(await masterNamed(hsm, master)).isPair) {
    const [got, whole] = await hsm.batch([getWrapped(by, master), lookAfter(master)]);
    return { wrapped: { wrappedKey: recipientKeyOf(got) }, whole };
  }
  const now = Date.now();
  const answers = await runBatch(hsm, ledger, (name) => [
    ...getPrivateByCek(master, { parent: recipient, by, name: name(), now }),
    lookAfter(master),
  ]);
  const [cek, privateHalf] = answers.filter(({ operation }) => operation === "Get");
  return {
    wrapped: { wrappedKey: recipientKeyOf(cek), privateKey: underGcm(privateHalf) },
    whole: answers.at(-1),
  };
}

type Wrapped = Pick<EncryptedMaster, "wrappedKey" | "privateKey">;

/** The parts of what the HSM keeps in one. */
function partsOf(kept: Uint8Array<ArrayBuffer>, cek: number | null): Wrapped {
  return cek === null
    ? { wrappedKey: kept }
    : { wrappedKey: kept.slice(0, cek), privateKey: kept.slice(cek) };
}

/** KMIP 2.1 §4.31 Link: the key that this one has replaced. */
async function replacedBy({ hsm }: Pick<Context, "hsm">, uniqueIdentifier: string): Promise<string | null> {
  const { attributes } = await hsm.request("GetAttributes", {
    uniqueIdentifier,
    attributeReference: ["link"],
  });
  const link = attributes.link?.find(({ linkType }) => linkType === "ReplacedObjectLink");
  const replaced = link?.linkedObjectIdentifier;
  return typeof replaced === "string" ? replaced : null;
}

/** As it stands at the HSM now: the copy, and the master key itself. */
export async function markMaster(kms: Context, instance: string): Promise<string | null> {
  const { store, hsm } = kms;
  const row = find(store.sql, instance);
  if (row === null) return null;
  const master = await currentMasterKey(hsm, store.tenant);
  // Another master key has taken its place, or it was revoked or destroyed.
  if (row.master !== master) return null;
  const [kept, whole] = await hsm.batch([lookAfter(row.hsm), lookAfter(master)], {
    batchErrorContinuationOption: "Continue",
  });
  return mark(row, markOf(kept), markOf(whole));
}

/** The tenant's master key as it is now: another one within ten seconds of a rotation (W12). */
export async function masterOf({ store, hsm }: Pick<Context, "store" | "hsm">): Promise<string> {
  const master = await currentMasterKey(hsm, store.tenant);
  if (master === null) throw new UnexpectedAnswer("the tenant has no master key");
  return master;
}

/**
 * Whether this master key is the tenant's no more: another has taken its place, or it was revoked or destroyed. While the HSM is
 * away nobody knows, and it is still the tenant's.
 */
export async function isReplaced(
  { store, hsm }: Pick<Context, "store" | "hsm">,
  master: string,
): Promise<boolean> {
  return currentMasterKey(hsm, store.tenant).then(
    (current) => current !== master,
    () => false,
  );
}

function mark(row: Row, ...marks: (string | null)[]): string {
  return [row.hsm, ...marks].join(" ");
}

/** The master key wrapped to the instance's registered key, which the HSM has verified, and kept there. */
async function makeMaster(
  kms: Context,
  { instance, hsmKey, notAfter }: Enrolled,
  master: string,
): Promise<Kept<EncryptedMaster>> {
  const { store, hsm, ledger } = kms;
  const { sql } = store;
  const name = encryptedMasterKeyName(instance);
  const { wrapped: parts, whole } = await wrapTo(kms, master, hsmKey);
  const { wrappedKey, privateKey } = parts;
  const wrapped = privateKey ? concat(wrappedKey, privateKey) : wrappedKey;
  // That of an earlier master key, or of a time that was cut off.
  await sweep(hsm, [name]);
  const row = { hsm: crypto.randomUUID(), master, cek: privateKey ? wrappedKey.length : null };
  const entry = { id: instance, objects: 1 };
  ledger.begin(entry);
  try {
    const [imported, kept] = await hsm.batch(
      [keepWrapped({ id: row.hsm, name, wrapped, by: toRecipient(hsmKey) }), lookAfter(row.hsm)],
      { batchErrorContinuationOption: "Stop", batchOrderOption: true },
    );
    if (imported?.resultStatus !== "Success") throw new UnexpectedAnswer("the HSM does not keep the key");
    sql.exec(
      "INSERT OR REPLACE INTO encrypted_masters (instance, hsm, master, until, cek) VALUES (?, ?, ?, ?, ?)",
      ...[instance, row.hsm, master, notAfter, row.cek],
    );
    ledger.end(entry);
    return {
      value: { keyId: master, ...parts },
      mark: mark(row, markOf(kept), markOf(whole)),
    };
  } catch (error) {
    await ledger.clear(entry);
    throw error;
  }
}

function find(sql: SqlStorage, instance: string): Row | null {
  const [row] = sql
    .exec<Row>("SELECT hsm, master, cek FROM encrypted_masters WHERE instance = ?", instance)
    .toArray();
  return row ?? null;
}

/** What was kept for instances whose certificates have run out goes; asks to be woken for the rest. */
export async function removeEnded(
  storage: DurableObjectStorage,
  { store, hsm }: Context,
  now: number,
): Promise<void> {
  const { sql } = store;
  const ended = sql
    .exec<{ instance: string }>(
      "SELECT instance FROM encrypted_masters WHERE until <= ? LIMIT ?",
      now,
      MAX_REMOVED,
    )
    .toArray();
  for (const { instance } of ended) {
    await sweep(hsm, [encryptedMasterKeyName(instance)]);
    sql.exec("DELETE FROM encrypted_masters WHERE instance = ?", instance);
  }
  await wakeForNext(storage);
}

export async function wakeForNext(storage: DurableObjectStorage): Promise<void> {
  const { next } = storage.sql
    .exec<{ next: number | null }>("SELECT min(until) AS next FROM encrypted_masters")
    .one();
  if (next !== null) await wakeBy(storage, next * 1000);
}
