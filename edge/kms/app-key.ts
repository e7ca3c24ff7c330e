/**
 * Symmetric app-specific keys (W1, W12): each is made in the HSM for one instance, given to it once, over a channel, and ends with it. Who
 * comes later with the same wrapping key, an application server after a restart, may go on with the one that it has kept.
 */

import { seconds } from "#protocol/clock.ts";
import type { MasterKeyRequest } from "#protocol/contract/index.ts";
import { digest } from "#protocol/digest.ts";
import { appSpecificKeyName, KEY, named, POLICY, policy, USAGE } from "#protocol/hierarchy/index.ts";
import { KmipError } from "#protocol/kmip/index.ts";
import type { Enrolled } from "../enrolled.ts";
import { getWrapped, type Leftover, pastAt, recipientKeyOf, toRecipient } from "../hsm/keys/index.ts";
import type { Context } from "./context.ts";
import { recipientOf } from "./restore-master.ts";

/** A part of the migrations of a principal's object. `until`: seconds since 1970. */
export const APP_KEYS_TABLE = `
  -- Symmetric app-specific keys: which instance has which (id, and identifier at the HSM), for which one it was made and until when that
  -- lives; thumbprint of the wrapping key that it went to, and SHA-256 of it as it was encrypted to that. No key byte.
  CREATE TABLE app_keys (
    instance TEXT PRIMARY KEY, id TEXT NOT NULL, hsm TEXT NOT NULL, made_for TEXT NOT NULL, thumbprint TEXT NOT NULL,
    digest TEXT NOT NULL, until INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX app_keys_by_id ON app_keys (id);
  -- Under which of them Enc(master) stands; null where that is encrypted to the wrapping key.
  ALTER TABLE encrypted_masters ADD COLUMN app_key TEXT;
`;

/** Those that one alarm ends, each by a request to the HSM. */
const MAX_ENDED = 20;

type Row = {
  instance: string;
  id: string;
  hsm: string;
  made_for: string;
  thumbprint: string;
  digest: string;
  until: number;
};

/** `digest`: SHA-256 of `made`, base64url, which is the key encrypted to the instance: there where it was made now, and is to be given. */
export type AppKey = Pick<Row, "id" | "hsm" | "digest"> & { made?: Uint8Array<ArrayBuffer> };
export type AppKeyAsk = NonNullable<MasterKeyRequest["appKey"]>;

type Means = Pick<Context, "store" | "hsm" | "ledger">;

/** The one that the instance holds, or one that is made for it now, in whose place it is. Throws what the HSM throws. */
export async function appKeyFor(kms: Means, enrolled: Enrolled, asked: AppKeyAsk): Promise<AppKey> {
  const { sql } = kms.store;
  const { instance } = enrolled;
  const [own] = sql.exec<Row>("SELECT * FROM app_keys WHERE instance = ?", instance).toArray();
  const held = asked.held ?? asked.replaces;
  const found = held === undefined ? undefined : await findHeld(kms, enrolled, held, own);
  const using = asked.replaces === undefined ? found : undefined;
  const appKey = using ?? (await makeAppKey(kms, enrolled));
  // Its own has ended by now; that of an instance before it has not.
  if (!using && found) await endAppKey(kms, found.id);
  return appKey;
}

/** A key of this id that is still good: this instance's own, or that of another with the same wrapping key, which it has from now on. */
async function findHeld(
  kms: Means,
  { instance, hsmKey }: Enrolled,
  held: string,
  own: Row | undefined,
): Promise<Row | undefined> {
  const { sql } = kms.store;
  const find = () => sql.exec<Row>("SELECT * FROM app_keys WHERE id = ? LIMIT 1", held).toArray()[0];
  const isGood = (row: Row | undefined) => row !== undefined && seconds(Date.now()) < row.until;
  if (own?.id === held) return isGood(own) ? own : undefined;
  if (!isGood(find())) return undefined;
  const { thumbprint } = await recipientOf(kms.hsm, hsmKey);
  // As it is now: it may have ended meanwhile.
  const found = find();
  if (found?.thumbprint !== thumbprint) return undefined;
  await give(kms, { ...found, instance });
  return found;
}

/** Two items: made under the recipient, and given encrypted to it (docs/decisions/0063). */
async function makeAppKey(kms: Means, { instance, hsmKey, notAfter }: Enrolled): Promise<AppKey> {
  const { hsm, ledger } = kms;
  const id = crypto.randomUUID();
  const entry = appKeyEntry(id);
  ledger.begin(entry);
  try {
    const [created, got] = await hsm.batch(
      [
        {
          operation: "Create",
          payload: {
            objectType: "SymmetricKey",
            attributes: {
              ...KEY,
              cryptographicUsageMask: [...USAGE["app-specific"]],
              sensitive: true,
              ...pastAt(Date.now()),
              name: named(appSpecificKeyName(id)),
              vendorAttributes: [policy(POLICY.parent, hsmKey)],
            },
          },
        },
        getWrapped(toRecipient(hsmKey)),
      ],
      { batchErrorContinuationOption: "Stop", batchOrderOption: true },
    );
    if (created?.operation !== "Create" || !created.payload)
      throw new KmipError(created?.resultReason ?? "GeneralFailure", undefined, "Create");
    const made = recipientKeyOf(got);
    const { thumbprint } = await recipientOf(hsm, hsmKey);
    const of = { id, hsm: created.payload.uniqueIdentifier, digest: await digest(made) };
    const given = give(kms, { ...of, instance, made_for: instance, thumbprint, until: notAfter });
    // In one write with the row.
    ledger.end(entry);
    await given;
    return { ...of, made };
  } catch (error) {
    await ledger.clear(entry);
    throw error;
  }
}

/** The instance has it from now on, and what was made for it before ends. */
async function give(kms: Means, row: Row): Promise<void> {
  const { sql } = kms.store;
  const [before] = sql.exec<Row>("SELECT * FROM app_keys WHERE instance = ?", row.instance).toArray();
  const isOver = before !== undefined && before.id !== row.id && before.made_for === row.instance;
  const ended = isOver ? endAppKey(kms, before.id) : undefined;
  sql.exec(
    "INSERT OR REPLACE INTO app_keys (instance, id, hsm, made_for, thumbprint, digest, until) VALUES (?, ?, ?, ?, ?, ?, ?)",
    ...[row.instance, row.id, row.hsm, row.made_for, row.thumbprint, row.digest, row.until],
  );
  await ended;
}

/** Nobody has it any more; the HSM destroys it now, or as soon as it can be reached. */
export async function endAppKey({ store, ledger }: Means, id: string): Promise<void> {
  if (store.sql.exec("DELETE FROM app_keys WHERE id = ? RETURNING id", id).toArray().length === 0) return;
  const entry = appKeyEntry(id);
  ledger.begin(entry);
  await ledger.clear(entry);
}

/** An instance has ended: so does what was made for it, and it has what was made for another no more. Whether it had one. */
export async function endAppKeysOf(kms: Means, instance: string): Promise<boolean> {
  const { sql } = kms.store;
  const rows = sql
    .exec<Row>("SELECT * FROM app_keys WHERE instance = ?1 OR made_for = ?1", instance)
    .toArray();
  for (const { id, made_for } of rows)
    if (made_for === instance) await endAppKey(kms, id);
    else sql.exec("DELETE FROM app_keys WHERE instance = ?", instance);
  return rows.length > 0;
}

/** Those whose instances' certificates have run out, at `now`; as many as one alarm ends. */
export async function endOldAppKeys(kms: Means, now: number): Promise<void> {
  const old = kms.store.sql.exec<Pick<Row, "id">>(
    "SELECT DISTINCT id FROM app_keys WHERE until <= ? LIMIT ?",
    ...[now, MAX_ENDED],
  );
  for (const { id } of old.toArray()) await endAppKey(kms, id);
}

const ENTRY = "app-specific/";

/** A ledger's entry for one that is being made, or ended. */
function appKeyEntry(id: string): Leftover {
  return { id: `${ENTRY}${id}`, objects: 1 };
}

/** Name at the HSM of what such an entry is about; null for another entry. */
export function appKeyOfEntry({ id }: Pick<Leftover, "id">): string | null {
  return id.startsWith(ENTRY) ? appSpecificKeyName(id.slice(ENTRY.length)) : null;
}
