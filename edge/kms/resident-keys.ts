/**
 * Data keys of an account that live in the HSM (M19, `resident`): which they are there, so that what ends here ends there, and what
 * was made and given to nobody is no longer there either.
 */

import { residentDataKeyName } from "#protocol/hierarchy/index.ts";
import { wakeBy } from "../alarm.ts";
import { configuredBound } from "../bound.ts";
import type { Hsm } from "../hsm/index.ts";
import { sweep } from "../hsm/keys/index.ts";
import { type Decision, ok, refuse, refuseForNow } from "../result.ts";
import type { Store } from "../store.ts";
import type { Version } from "./account-data-keys.ts";

/** A part of the migrations of an account's object. */
export const RESIDENT_KEYS_TABLE = `
  CREATE TABLE resident_keys (
    id TEXT NOT NULL,
    version INTEGER NOT NULL,
    -- 'making': not given out yet; 'gone': the HSM has still to destroy it.
    state TEXT NOT NULL CHECK (state IN ('making', 'kept', 'gone')),
    -- Seconds since 1970.
    made INTEGER NOT NULL,
    PRIMARY KEY (id, version)
  ) STRICT, WITHOUT ROWID;
`;

/** Objects that one account may have in the HSM, unless configured otherwise: each takes room there for good. */
const DEFAULT_MOST = 10_000;
/** One that is still being made after so many seconds was cut off. Far longer than the HSM is waited for. */
const CUT_OFF = 120;
/** Those that one alarm has the HSM destroy. */
const MAX_FORGOTTEN = 50;
const AGAIN_MS = 60_000;

/** `configured` is the text of COFFER_RESIDENT_KEYS_PER_ACCOUNT. Throws for one that is mistyped. */
export function mostResident(configured?: string): number {
  return configuredBound("COFFER_RESIDENT_KEYS_PER_ACCOUNT", configured, DEFAULT_MOST);
}

/**
 * Runs what has keys of these names made in the HSM and, in the end, `keepResident` where they are given out. Those of a refusal are
 * destroyed at once, those of what throws or is cut off when the HSM cannot be at them any more. `refused`: there is no room for them.
 */
export async function asResident<T extends { ok: boolean }>(
  store: Pick<Store, "sql" | "transaction">,
  { keys, most }: { keys: readonly Version[]; most: number },
  now: number,
  run: () => Promise<T>,
  refused: (refusal: Decision<never>) => T,
): Promise<T> {
  const begun = store.transaction(() => begin(store.sql, keys, most, now));
  if (!begun.ok) return refused(begun);
  const result = await run();
  if (!result.ok)
    for (const { id, version } of keys)
      store.sql.exec("UPDATE resident_keys SET state = 'gone' WHERE id = ? AND version = ?", id, version);
  return result;
}

/** What is being made, and what the HSM has still to destroy, is there as well. */
function begin(sql: SqlStorage, keys: readonly Version[], most: number, now: number): Decision<null> {
  const { there } = sql.exec<{ there: number }>("SELECT count(*) AS there FROM resident_keys").one();
  if (!(there + keys.length <= most)) return refuse("quota-exceeded", "quota of data keys in the HSM");
  for (const { id, version } of keys) {
    // Of an attempt at the same version that failed the HSM may still have the object, by the same name.
    const earlier = sql.exec("SELECT 1 FROM resident_keys WHERE id = ? AND version = ?", id, version);
    if (earlier.toArray().length > 0)
      return refuseForNow("an earlier key of this version is to be destroyed", CUT_OFF);
  }
  for (const { id, version } of keys)
    sql.exec("INSERT INTO resident_keys VALUES (?, ?, 'making', ?)", id, version, now);
  return ok(null);
}

/** They are given out now. Throws, in the caller's transaction, where one was given up meanwhile. */
export function keepResident(sql: SqlStorage, keys: readonly Version[]): void {
  for (const { id, version } of keys) {
    const kept = sql.exec(
      "UPDATE resident_keys SET state = 'kept' WHERE id = ? AND version = ? AND state = 'making' RETURNING id",
      ...[id, version],
    );
    if (kept.toArray().length !== 1) throw new Error("a key was given up while it was made");
  }
}

/** Of what is being made the HSM may not have heard yet: that is refused when it is made, and ends then. */
export function endAllResident(sql: SqlStorage): void {
  sql.exec("UPDATE resident_keys SET state = 'gone' WHERE state = 'kept'");
}

/** Ends those whose deletion is due, and those that were cut off; has the HSM destroy what has ended. Throws what the HSM throws. */
export async function forgetResident(
  storage: DurableObjectStorage,
  hsm: Pick<Hsm, "batch">,
  now: number,
): Promise<void> {
  const { sql } = storage;
  sql.exec(
    `UPDATE resident_keys SET state = 'gone' WHERE (state = 'making' AND made < ?)
      OR (state = 'kept' AND (id, version) IN (SELECT id, version FROM key_management WHERE ends <= ?))`,
    ...[now - CUT_OFF, now],
  );
  const ended = sql
    .exec<Version>("SELECT id, version FROM resident_keys WHERE state = 'gone' LIMIT ?", MAX_FORGOTTEN)
    .toArray();
  if (ended.length > 0) {
    // Whatever becomes of this object meanwhile, none of them stays there.
    await wakeBy(storage, Date.now() + AGAIN_MS);
    await sweep(
      hsm,
      ended.map(({ id, version }) => residentDataKeyName(id, version)),
    );
    for (const { id, version } of ended)
      sql.exec("DELETE FROM resident_keys WHERE id = ? AND version = ?", id, version);
  }
  await wakeForResident(storage);
}

/** Sees to it that the object wakes when one is due, or was cut off. */
export async function wakeForResident(storage: DurableObjectStorage): Promise<void> {
  const { next } = storage.sql
    .exec<{ next: number | null }>(
      `SELECT min(due) AS next FROM (
        SELECT made + ${CUT_OFF} + 1 AS due FROM resident_keys WHERE state = 'making'
        UNION ALL SELECT ends AS due FROM resident_keys JOIN key_management USING (id, version)
          WHERE state = 'kept' AND ends IS NOT NULL
        UNION ALL SELECT 0 AS due FROM resident_keys WHERE state = 'gone')`,
    )
    .one();
  if (next !== null) await wakeBy(storage, Math.max(next * 1000, Date.now() + 1000));
}
