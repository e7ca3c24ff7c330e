/**
 * Data keys of an account, or of the tenant itself, that the KMS retains (M11): Enc(data) is in the HSM, and here is the signed reference that stands in its
 * place in documents. No key byte, wrapped or not.
 */

import { encryptedDataKeyName } from "#protocol/hierarchy/index.ts";
import type { Edk } from "#protocol/keys/index.ts";
import type { KeyWrappingSpecification } from "#protocol/kmip/index.ts";
import { wakeBy } from "../alarm.ts";
import type { Hsm } from "../hsm/index.ts";
import { UnexpectedAnswer } from "../hsm/index.ts";
import { keepWrapped, keyValueOf, sweep, underPair, underParent } from "../hsm/keys/index.ts";
import type { AccountKey } from "../iam/types.ts";
import { takeTurn } from "../pace.ts";
import { type Decision, ok, refuse } from "../result.ts";
import { nameOf, type Version } from "./account-data-keys.ts";
import type { Context } from "./context.ts";

/** A part of the migrations of an account's object and a principal's, with the requests of instances, each of which is good once. */
export const RETAINED_KEYS_TABLE = `
  CREATE TABLE retained_keys (
    id TEXT NOT NULL,
    version INTEGER NOT NULL,
    client TEXT NOT NULL,
    -- 'making': not given out yet; 'gone': the HSM has still to forget it.
    state TEXT NOT NULL CHECK (state IN ('making', 'kept', 'gone')),
    -- Identifier of Enc(data) at the HSM.
    hsm TEXT NOT NULL,
    -- The reference: an EDK without a wrapped key.
    edk TEXT NOT NULL,
    -- Seconds since 1970.
    made INTEGER NOT NULL,
    PRIMARY KEY (id, version)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE retained_requests (hash TEXT PRIMARY KEY, expires INTEGER NOT NULL) STRICT, WITHOUT ROWID;
`;

export type Retained = Version & { hsm: string; edk: string };

/** One that is still being made after so many seconds was cut off. */
const CUT_OFF = 120;
/** Those that one alarm has the HSM forget. */
const MAX_FORGOTTEN = 20;
const AGAIN_MS = 60_000;
/** Of one user for one account, by all instances: each is up to a hundred keys in the HSM. */
const REQUESTS_PER_MINUTE = 600;

/** How a data key stands under this account key. */
export function underAccountKey({ id, publicKey }: AccountKey): KeyWrappingSpecification {
  return (publicKey === null ? underParent : underPair)(id);
}

/** Has the HSM keep them, as they stand under the key `by`. Until `keepRetained` they are leftovers, which the alarm removes. */
export async function retainAtHsm(
  { store, hsm }: Pick<Context, "store" | "hsm">,
  client: string,
  by: KeyWrappingSpecification,
  made: readonly { edk: Edk; token: string; wrapped: Uint8Array<ArrayBuffer> }[],
  now: number,
): Promise<void> {
  const rows = made.map(({ edk, token, wrapped }) => {
    const version = { id: edk.keyId, version: edk.keyVersion };
    return { ...version, hsm: crypto.randomUUID(), token, wrapped };
  });
  store.transaction(() => {
    for (const { id, version, hsm, token } of rows)
      store.sql.exec(
        "INSERT INTO retained_keys VALUES (?, ?, ?, 'making', ?, ?, ?)",
        ...[id, version, client, hsm, token, now],
      );
  });
  const answers = await hsm.batch(
    rows.map(({ id, version, hsm, wrapped }) =>
      keepWrapped({ id: hsm, name: encryptedDataKeyName(id, version), wrapped, by }),
    ),
    { batchErrorContinuationOption: "Stop", batchOrderOption: true },
  );
  if (answers.length !== rows.length || answers.some(({ resultStatus }) => resultStatus !== "Success"))
    throw new UnexpectedAnswer("the HSM does not keep the keys");
}

/** They are given out now. Throws, in the caller's transaction, where one was given up meanwhile. */
export function keepRetained(sql: SqlStorage, edks: readonly Edk[]): void {
  for (const { keyId, keyVersion } of edks) {
    const kept = sql.exec(
      "UPDATE retained_keys SET state = 'kept' WHERE id = ? AND version = ? AND state = 'making' RETURNING id",
      ...[keyId, keyVersion],
    );
    if (kept.toArray().length !== 1) throw new Error("a key was given up while it was made");
  }
}

/** The HSM has them by now, and they are given to nobody. */
export function giveRetainedUp(sql: SqlStorage, keys: readonly Version[]): void {
  for (const { id, version } of keys)
    sql.exec("UPDATE retained_keys SET state = 'gone' WHERE id = ? AND version = ?", id, version);
}

/** The app's, in the order of their identifiers, after that one; one more than `most` tells that there are more. */
export function retainedAfter(sql: SqlStorage, client: string, after: Version, most: number): Retained[] {
  return sql
    .exec<Retained>(
      `SELECT id, version, hsm, edk FROM retained_keys WHERE client = ? AND state = 'kept' AND (id, version) > (?, ?)
        ORDER BY id, version LIMIT ?`,
      ...[client, after.id, after.version, most + 1],
    )
    .toArray();
}

/** Those and no others, in that order. Errors: `not-found`. */
export function retainedNamed(
  sql: SqlStorage,
  client: string,
  names: readonly Version[],
): Decision<Retained[]> {
  const found: Retained[] = [];
  for (const { id, version } of names) {
    const [row] = sql
      .exec<Retained>(
        "SELECT id, version, hsm, edk FROM retained_keys WHERE id = ? AND version = ? AND client = ? AND state = 'kept'",
        ...[id, version, client],
      )
      .toArray();
    if (row === undefined) return refuse("not-found", "no such retained key of this app");
    found.push(row);
  }
  return ok(found);
}

/** Enc(data) of each by name. Throws what the HSM throws. */
export async function wrappedRetained(
  { hsm }: Pick<Context, "hsm">,
  rows: readonly Retained[],
): Promise<Map<string, Uint8Array<ArrayBuffer>>> {
  const answers = await hsm.batch(
    rows.map(({ hsm: uniqueIdentifier }) => ({ operation: "Get" as const, payload: { uniqueIdentifier } })),
    { batchErrorContinuationOption: "Continue", batchOrderOption: true },
  );
  return new Map(rows.map((row, at) => [nameOf(row), keyValueOf(answers[at])]));
}

/**
 * Uses a request up; until it has ended it is known. Inside `authorize()`. One that comes again takes nobody's turn, and one that
 * finds no turn leaves no row.
 */
export function useRequest(
  sql: SqlStorage,
  { user, hash, expires }: { user: string; hash: string; expires: number },
  now: number,
): Decision<null> {
  sql.exec("DELETE FROM retained_requests WHERE expires < ?", now);
  const used = sql.exec("SELECT 1 FROM retained_requests WHERE hash = ?", hash).toArray();
  if (used.length > 0) return refuse("invalid-grant", "request was sent before");
  const turn = takeTurn(sql, { what: "kms:load-retained", user }, REQUESTS_PER_MINUTE, now);
  if (turn.ok) sql.exec("INSERT INTO retained_requests VALUES (?, ?)", hash, expires);
  return turn;
}

/**
 * From now on they are given to nobody. Of what is being made the HSM may not have heard yet, so that nothing would be found there: that is
 * refused when it is made, and ends then.
 */
export function endAllRetained(sql: SqlStorage): void {
  sql.exec("UPDATE retained_keys SET state = 'gone' WHERE state = 'kept'");
}

/** Ends those whose deletion is due, and those that were cut off; has the HSM forget what has ended. */
export async function forgetRetained(
  storage: DurableObjectStorage,
  hsm: Pick<Hsm, "batch">,
  now: number,
): Promise<void> {
  const { sql } = storage;
  sql.exec(
    `UPDATE retained_keys SET state = 'gone' WHERE (state = 'making' AND made < ?)
      OR (state = 'kept' AND (id, version) IN (SELECT id, version FROM key_management WHERE ends <= ?))`,
    ...[now - CUT_OFF, now],
  );
  const ended = sql
    .exec<Version>("SELECT id, version FROM retained_keys WHERE state = 'gone' LIMIT ?", MAX_FORGOTTEN)
    .toArray();
  if (ended.length > 0) {
    // Whatever becomes of this object meanwhile, none of them stays there.
    await wakeBy(storage, Date.now() + AGAIN_MS);
    await sweep(
      hsm,
      ended.map(({ id, version }) => encryptedDataKeyName(id, version)),
    );
    for (const { id, version } of ended)
      sql.exec("DELETE FROM retained_keys WHERE id = ? AND version = ?", id, version);
  }
  await wakeForRetained(storage);
}

/** Sees to it that the object wakes when one is due, or was cut off. */
export async function wakeForRetained(storage: DurableObjectStorage): Promise<void> {
  const { next } = storage.sql
    .exec<{ next: number | null }>(
      `SELECT min(due) AS next FROM (
        SELECT made + ${CUT_OFF} + 1 AS due FROM retained_keys WHERE state = 'making'
        UNION ALL SELECT ends AS due FROM retained_keys JOIN key_management USING (id, version)
          WHERE state = 'kept' AND ends IS NOT NULL
        UNION ALL SELECT 0 AS due FROM retained_keys WHERE state = 'gone')`,
    )
    .one();
  if (next !== null) await wakeBy(storage, Math.max(next * 1000, Date.now() + 1000));
}
