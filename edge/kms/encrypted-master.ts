/** Enc(master) for an instance's wrapping key, as the HSM keeps it: made once, and found again by whichever instance has that key. */

import { concat } from "#protocol/bytes.ts";
import { seconds } from "#protocol/clock.ts";
import { digest } from "#protocol/digest.ts";
import { encryptedMasterKeyName, instancesMasterKeyName, named } from "#protocol/hierarchy/index.ts";
import type { ResponseItem } from "#protocol/kmip/index.ts";
import { wakeBy } from "../alarm.ts";
import type { Enrolled } from "../enrolled.ts";
import { UnexpectedAnswer } from "../hsm/index.ts";
import {
  getPrivateByCek,
  getPrivateUnderKey,
  getWrapped,
  isGone,
  keepWrapped,
  keyValueOf,
  type Leftover,
  lookAfter,
  markOf,
  readKept,
  recipientKeyOf,
  remove,
  runBatch,
  sweep,
  toRecipient,
  underGcm,
  underParent,
} from "../hsm/keys/index.ts";
import { type AppKey, endOldAppKeys } from "./app-key.ts";
import type { Kept } from "./cache/index.ts";
import type { Context } from "./context.ts";
import { currentMasterKey, isUnrecovered, masterNamed, replacedBy, requireMasterKey } from "./master-key.ts";
import type { EncryptedMaster } from "./master-release.ts";
import { recipientOf, restoreMaster } from "./restore-master.ts";

/** A part of the migrations of a principal's object. `until`: end of the instance's certificates, seconds since 1970. */
export const MASTERS_TABLE = `
  -- Enc(master) of instances: identifiers of the object that the HSM keeps, and of the master key in it. No key byte.
  CREATE TABLE encrypted_masters (
    instance TEXT PRIMARY KEY, hsm TEXT NOT NULL, master TEXT NOT NULL, until INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
`;

/** Another part. `cek`: bytes of the content-encryption key, which stands before the private half where the master key is a pair. */
export const MASTERS_CEK_COLUMN = "ALTER TABLE encrypted_masters ADD COLUMN cek INTEGER;";

/** Another part: its name at the HSM; none where an earlier release named it by the instance. */
export const MASTER_NAMES = "ALTER TABLE encrypted_masters ADD COLUMN name TEXT;";

type Row = { hsm: string; master: string; cek: number | null; app_key: string | null };

/** Those that one alarm removes. */
const MAX_REMOVED = 20;

/** Other instances' that one request of the HSM brings with one that it has: the KMS has no start-up of its own (W8). */
const PREFETCHED = 31;

/**
 * Of this instance and of its principal's others, by instance: what the HSM has of them comes in the one request for the one that is asked
 * for. Throws as `fetchMaster` does.
 */
export async function fetchMasters(
  kms: Context,
  enrolled: Enrolled,
  appKey?: AppKey,
): Promise<Map<string, Kept<EncryptedMaster>>> {
  const { store, hsm } = kms;
  const { instance } = enrolled;
  const row = find(store.sql, instance);
  const known = await requireMasterKey(hsm, store.tenant);
  if (row?.master !== known.key || row.app_key !== (appKey?.id ?? null))
    return new Map([[instance, await fetchMaster(kms, enrolled, appKey)]]);
  const others = store.sql
    .exec<Row & { instance: string }>(
      `SELECT instance, hsm, master, cek, app_key FROM encrypted_masters
      WHERE master = ? AND instance <> ? AND until > ? ORDER BY until DESC LIMIT ?`,
      ...[row.master, instance, seconds(Date.now()), PREFETCHED],
    )
    .toArray();
  const [own, ...more] = await readMasters(kms, row.master, [row, ...others]);
  const found = new Map([[instance, own ?? (await fetchMaster(kms, enrolled, appKey))]]);
  for (const [at, { instance: other }] of others.entries()) {
    const kept = more[at];
    if (kept) found.set(other, kept);
  }
  return found;
}

/**
 * What the HSM keeps for the instance, or keeps from now on, under its symmetric app-specific key where it has one. Throws what the HSM
 * throws, and `StrictTenant` where the HSM has the master key no more, nothing for this wrapping key, and no ceremony under way that is for it.
 */
export async function fetchMaster(
  kms: Context,
  enrolled: Enrolled,
  appKey?: AppKey,
): Promise<Kept<EncryptedMaster>> {
  const { store, hsm, ledger } = kms;
  // Of another master key, or under another app-specific key.
  await removeOf(kms, enrolled.instance);
  // As it is now: it may have been destroyed since.
  const master = await requireMasterKey(hsm, store.tenant, true);
  if (appKey && master.recovery !== null)
    throw new UnexpectedAnswer("instances of a strict tenant have RSA pairs as app-specific keys");
  const { thumbprint, ciphertext } = appKey
    ? { thumbprint: await digest(appKey.id), ciphertext: null }
    : await recipientOf(hsm, enrolled.hsmKey);
  const name = encryptedMasterKeyName(master.key, thumbprint);
  const { uniqueIdentifier } = await hsm.request("Locate", { attributes: { name: named(name) } });
  const [others] = uniqueIdentifier;
  if (others !== undefined) {
    // Another instance with this wrapping key has had it.
    const { isPair } = await masterNamed(hsm, master.key);
    const row = {
      ...{ hsm: others, master: master.key, cek: isPair ? ciphertext : null },
      app_key: appKey?.id ?? null,
    };
    const found = await readMaster(kms, row);
    if (found !== null) {
      keepRow(store.sql, enrolled, row, name);
      // Where this is what was cut off here, it is to stay.
      ledger.end(keptEntry(row));
      return found;
    }
  }
  const { wrapped, whole } =
    master.recovery === null
      ? await wrapFor(kms, master.key, enrolled.hsmKey, appKey)
      : await restored(kms, { ...master, recovery: master.recovery }, { ...enrolled, thumbprint });
  return keepMaster(kms, enrolled, { wrapped, whole: markOf(whole), master: master.key, name, appKey });
}

/** Null where the HSM has it no more. */
async function readMaster(kms: Pick<Context, "hsm">, row: Row): Promise<Kept<EncryptedMaster> | null> {
  const [kept = null] = await readMasters(kms, row.master, [row]);
  return kept;
}

/** Copies of one master key, in order, in one request. Null where the HSM has one no more. Throws what it says of the first. */
async function readMasters(
  { hsm }: Pick<Context, "hsm">,
  master: string,
  rows: readonly Row[],
): Promise<(Kept<EncryptedMaster> | null)[]> {
  const answers = await hsm.batch([...rows.flatMap((row) => readKept(row.hsm)), lookAfter(master)], {
    batchErrorContinuationOption: "Continue",
    batchOrderOption: true,
  });
  const whole = markOf(answers[2 * rows.length]);
  return rows.map((row, at) => {
    const got = answers[2 * at];
    // Another's trouble is its own: it is asked for again when it is wanted.
    if (isGone(got) || (at > 0 && got?.resultStatus !== "Success")) return null;
    const value = { keyId: master, ...partsOf(keyValueOf(got), row.cek), ...appKeyOf(row) };
    return { value, mark: mark(row, markOf(answers[2 * at + 1]), whole) };
  });
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
  appKey?: AppKey,
): Promise<EncryptedMaster | null> {
  const { store } = kms;
  let { key } = await requireMasterKey(kms.hsm, store.tenant);
  for (let hop = 0; key !== id; hop++) {
    const earlier: string | null = hop === MAX_HOPS ? null : await replacedBy(kms.hsm, key);
    if (earlier === null) return null;
    key = earlier;
  }
  return { keyId: key, ...(await wrapFor(kms, key, hsmKey, appKey)).wrapped };
}

/** Under the symmetric app-specific key of an instance: AES Key Wrap, or of a pair its private half by AES-GCM. */
async function wrapUnder(
  { hsm }: Pick<Context, "hsm">,
  master: string,
  appKey: AppKey,
): Promise<{ wrapped: Wrapped; whole: ResponseItem | undefined }> {
  const { isPair } = await masterNamed(hsm, master);
  const get = isPair ? getPrivateUnderKey(master, appKey.hsm) : getWrapped(underParent(appKey.hsm), master);
  const [got, whole] = await hsm.batch([get, lookAfter(master)]);
  return { wrapped: { wrappedKey: isPair ? underGcm(got) : keyValueOf(got) }, whole };
}

/** For an instance, by the app-specific key that it has. */
function wrapFor(kms: Pick<Context, "hsm" | "ledger">, master: string, recipient: string, appKey?: AppKey) {
  return appKey ? wrapUnder(kms, master, appKey) : wrapTo(kms, master, recipient);
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

/** As it stands at the HSM now: the copy, and the master key itself. */
export async function markMaster(kms: Context, instance: string): Promise<string | null> {
  const { store, hsm } = kms;
  const row = find(store.sql, instance);
  if (row === null) return null;
  const master = await currentMasterKey(hsm, store.tenant);
  // Another master key has taken its place, or it was revoked or destroyed.
  if (row.master !== master?.key) return null;
  const [kept, whole] = await hsm.batch([lookAfter(row.hsm), lookAfter(row.master)], {
    batchErrorContinuationOption: "Continue",
  });
  return mark(row, markOf(kept), markOf(whole));
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
    (current) => current?.key !== master,
    () => false,
  );
}

function appKeyOf({ app_key }: Row): Pick<EncryptedMaster, "appKey"> {
  return app_key === null ? {} : { appKey: app_key };
}

function mark(row: Row, ...marks: (string | null)[]): string {
  return [row.hsm, ...marks].join(" ");
}

/** By the ceremony. */
async function restored(
  kms: Context,
  master: { key: string; recovery: string },
  recipient: { hsmKey: string; thumbprint: string },
): Promise<{ wrapped: Wrapped; whole: ResponseItem | undefined }> {
  const wrappedKey = await restoreMaster(kms, master, recipient);
  const [whole] = await kms.hsm.batch([lookAfter(master.key)]);
  return { wrapped: { wrappedKey }, whole };
}

/** In the HSM from now on. */
async function keepMaster(
  { store, hsm, ledger }: Context,
  enrolled: Enrolled,
  {
    wrapped: parts,
    whole,
    master,
    name,
    appKey,
  }: { wrapped: Wrapped; whole: string | null; master: string; name: string; appKey: AppKey | undefined },
): Promise<Kept<EncryptedMaster>> {
  const { wrappedKey, privateKey } = parts;
  const wrapped = privateKey ? concat(wrappedKey, privateKey) : wrappedKey;
  const row = {
    ...{ hsm: crypto.randomUUID(), master, cek: privateKey ? wrappedKey.length : null },
    app_key: appKey?.id ?? null,
  };
  const value = { keyId: master, ...parts, ...appKeyOf(row) };
  const entry = keptEntry(row);
  ledger.begin(entry);
  try {
    const by = appKey ? underParent(appKey.hsm) : toRecipient(enrolled.hsmKey);
    const kept = { id: row.hsm, name, wrapped, by };
    const [imported, own] = await hsm.batch([keepWrapped(kept), lookAfter(row.hsm)], {
      batchErrorContinuationOption: "Stop",
      batchOrderOption: true,
    });
    if (imported?.resultReason === "NonUniqueNameAttribute") {
      // Another object of this wrapping key was first: that one stays.
      ledger.end(entry);
      return { value, mark: "" };
    }
    if (imported?.resultStatus !== "Success") throw new UnexpectedAnswer("the HSM does not keep the key");
    keepRow(store.sql, enrolled, row, name);
    ledger.end(entry);
    return { value, mark: mark(row, markOf(own), whole) };
  } catch (error) {
    await ledger.clear(entry);
    throw error;
  }
}

/** A ledger's entry for what is kept: by its identifier at the HSM, which is nobody else's, and the master key in it. */
export function keptEntry({ hsm, master }: Pick<Row, "hsm" | "master">): Leftover {
  return { id: `kept/${master}/${hsm}`, objects: 1 };
}

/**
 * Removes what a ledger's entry was to keep: that object alone, since others may have found another by its name, and not where the HSM could
 * not make it again. Throws where it is left.
 */
export async function removeKept(
  hsm: Pick<Context["hsm"], "request" | "batch">,
  { id }: Pick<Leftover, "id">,
): Promise<void> {
  // Of earlier releases: an instance's id, and then a name of which nobody knows whose object has it.
  if (!id.includes("/")) return sweep(hsm, [instancesMasterKeyName(id)]);
  const [kept, master, object] = id.split("/");
  if (kept !== "kept" || !master || !object) return;
  if (await isUnrecovered(hsm, master)) await remove(hsm, object);
}

function keepRow(sql: SqlStorage, { instance, notAfter }: Enrolled, row: Row, name: string): void {
  sql.exec(
    "INSERT OR REPLACE INTO encrypted_masters (instance, hsm, master, until, name, cek, app_key) VALUES (?, ?, ?, ?, ?, ?, ?)",
    ...[instance, row.hsm, row.master, notAfter, name, row.cek, row.app_key],
  );
}

function find(sql: SqlStorage, instance: string): Row | null {
  const [row] = sql
    .exec<Row>("SELECT hsm, master, cek, app_key FROM encrypted_masters WHERE instance = ?", instance)
    .toArray();
  return row ?? null;
}

/**
 * What was kept for instances whose certificates have run out goes, unless another instance here has the same wrapping key; asks to be
 * woken for the rest. Of a master key for which the officer has said a recovery recipient, destroyed yet or not, it stays in the HSM, which
 * could not make it again: found by its name, it is for the next instance with that key.
 */
export async function removeEnded(
  storage: DurableObjectStorage,
  { store, hsm, ledger }: Context,
  now: number,
): Promise<void> {
  const ended = store.sql
    .exec<KeptRow>(`SELECT ${KEPT_ROW} FROM encrypted_masters WHERE until <= ? LIMIT ?`, now, MAX_REMOVED)
    .toArray();
  for (const row of ended) await removeRow({ store, hsm }, row);
  await endOldAppKeys({ store, hsm, ledger }, now);
  await wakeForNext(storage);
}

/** The same for an instance that was revoked, however long its certificates last. Whether anything was kept. Throws where it is left. */
export async function removeOf(kms: Pick<Context, "store" | "hsm">, instance: string): Promise<boolean> {
  const [row] = kms.store.sql
    .exec<KeptRow>(`SELECT ${KEPT_ROW} FROM encrypted_masters WHERE instance = ?`, instance)
    .toArray();
  if (row) await removeRow(kms, row);
  return row !== undefined;
}

type KeptRow = { instance: string; hsm: string; master: string; name: string | null };
const KEPT_ROW = "instance, hsm, master, name";

async function removeRow(
  { store: { sql }, hsm }: Pick<Context, "store" | "hsm">,
  { instance, hsm: id, master, name }: KeptRow,
): Promise<void> {
  const { others } = sql
    .exec<{ others: number }>(
      "SELECT count(*) AS others FROM encrypted_masters WHERE hsm = ? AND instance <> ?",
      ...[id, instance],
    )
    .one();
  // As it is now: what goes here nobody could bring back.
  if (others === 0 && (await isUnrecovered(hsm, master)))
    await sweep(hsm, [name ?? instancesMasterKeyName(instance)]);
  sql.exec("DELETE FROM encrypted_masters WHERE instance = ?", instance);
}

export async function wakeForNext(storage: DurableObjectStorage): Promise<void> {
  const both = "SELECT until FROM encrypted_masters UNION ALL SELECT until FROM app_keys";
  const { next } = storage.sql
    .exec<{ next: number | null }>(`SELECT min(until) AS next FROM (${both})`)
    .one();
  if (next !== null) await wakeBy(storage, next * 1000);
}
