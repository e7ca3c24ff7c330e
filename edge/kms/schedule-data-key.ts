/** The end of a version of a data key, some days ahead (W10): refused until then, and kept after all where that is asked for in time. */

import { wakeBy } from "../alarm.ts";
import { authorize } from "../authorize.ts";
import { ok, type Result, refuse } from "../result.ts";
import { subjectOf } from "../store.ts";
import { nameOf, type Version } from "./account-data-keys.ts";
import type { Context } from "./context.ts";
import { endDataKey } from "./end-data-key.ts";

type OfVersion = { client: string; key: Version; requestId: string };

/** For the IAM, which has decided. `ends`: seconds since 1970; null to keep it. Errors: `not-found` for one that is gone, or due. */
export function scheduleDataKey(
  { store }: Pick<Context, "store">,
  { client, key, requestId, ends }: OfVersion & { ends: number | null },
  now: number,
): Result<null> {
  const resource = `account/${subjectOf(store.sql)}/${nameOf(key)}`;
  const action = ends === null ? "kms:keep-data-key" : "kms:schedule-data-key";
  return authorize<null>(store, { action, caller: null, resource, requestId }, (sql) => {
    const [row] = sql
      .exec<{ ends: number | null; before: string | null; state: string | null }>(
        `SELECT of.ends, of.state_before AS before, data_keys.state FROM account_data_keys AS of
         LEFT JOIN data_keys USING (id, version) WHERE id = ? AND version = ? AND of.client = ? AND of.state = 'kept'
         AND (of.ends IS NULL OR of.ends > ?)`,
        ...[key.id, key.version, client, now],
      )
      .toArray();
    if (row === undefined) return refuse("not-found", "no such data key");
    // One that is not scheduled is kept already: what disabled it is not undone.
    if (ends === null && row.ends === null) return ok(null);
    const before = row.ends === null ? row.state : row.before;
    sql.exec(
      "UPDATE account_data_keys SET ends = ?, state_before = ? WHERE id = ? AND version = ?",
      ...[ends, ends === null ? null : before, key.id, key.version],
    );
    // By the other way to a key, which brings its EDK. Kept after all, it is as it was before.
    const state = ends === null ? (before ?? "enabled") : "disabled";
    sql.exec("UPDATE data_keys SET state = ? WHERE id = ? AND version = ?", state, key.id, key.version);
    return ok(null);
  });
}

/** Whether it is there and scheduled for deletion. */
export function isScheduled(sql: SqlStorage, { id, version }: Version): boolean {
  const found = sql.exec(
    "SELECT 1 FROM account_data_keys WHERE id = ? AND version = ? AND state = 'kept' AND ends IS NOT NULL",
    ...[id, version],
  );
  return found.toArray().length === 1;
}

/** For `alarm()`: those whose time has come. What a crash has left to do is found again. */
export function endDataKeysInTime(kms: Pick<Context, "store">, now: number): void {
  const due = kms.store.sql
    .exec<Version & { client: string }>(
      "SELECT id, version, client FROM account_data_keys WHERE state = 'kept' AND ends <= ?",
      now,
    )
    .toArray();
  for (const { client, ...key } of due) endDataKey(kms, { client, key, requestId: crypto.randomUUID() });
}

/** Sees to it that the object wakes when the next one is due. */
export async function wakeAtEnds(storage: DurableObjectStorage): Promise<void> {
  const { next } = storage.sql
    .exec<{ next: number | null }>("SELECT min(ends) AS next FROM account_data_keys WHERE state = 'kept'")
    .one();
  if (next !== null) await wakeBy(storage, Math.max(next * 1000, Date.now()));
}
