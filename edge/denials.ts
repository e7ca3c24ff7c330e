/**
 * Denials that anyone with a made-up code or token, or a signed-in user, can cause at will: a number of them a
 * minute get a row each, the rest of that minute is counted in one row, so that nobody can bury the audit log or fill
 * the store.
 */

/** A part of every store's first migration. */
export const DENIALS = `
  CREATE TABLE bounded_denials (
    action TEXT PRIMARY KEY, minute INTEGER NOT NULL, recorded INTEGER NOT NULL, counted INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
`;

/** Rows in one minute for each action, and where a user is known, for each of the user's. */
const PER_MINUTE = 20;

export type Counted = { action: string; minute: number; counted: number };

/** Counts one denial. `record`: write its row. `counted`: of an earlier minute, for a row of its own. */
export function noteDenial(
  sql: SqlStorage,
  action: string,
  now: number,
): { record: boolean; counted: Counted | null } {
  const minute = Math.floor(now / 60_000);
  const [kept] = sql
    .exec<{ minute: number; recorded: number; counted: number }>(
      "SELECT minute, recorded, counted FROM bounded_denials WHERE action = ?",
      action,
    )
    .toArray();
  const same = kept?.minute === minute;
  const recorded = same ? kept.recorded : 0;
  const record = recorded < PER_MINUTE;
  sql.exec(
    "INSERT OR REPLACE INTO bounded_denials VALUES (?, ?, ?, ?)",
    ...[action, minute, recorded + (record ? 1 : 0), (same ? kept.counted : 0) + (record ? 0 : 1)],
  );
  const over = kept !== undefined && !same && kept.counted > 0;
  return { record, counted: over ? { action, minute: kept.minute, counted: kept.counted } : null };
}

/** Takes out what was counted in minutes that are over. */
export function takeCounted(sql: SqlStorage, now: number): Counted[] {
  const over = sql
    .exec<Counted>(
      "DELETE FROM bounded_denials WHERE minute < ? RETURNING action, minute, counted",
      Math.floor(now / 60_000),
    )
    .toArray();
  return over.filter(({ counted }) => counted > 0);
}

/** When the first minute is over of which something was counted, milliseconds; null where nothing was. */
export function nextCounted(sql: SqlStorage): number | null {
  const { minute } = sql
    .exec<{ minute: number | null }>("SELECT min(minute) AS minute FROM bounded_denials WHERE counted > 0")
    .one();
  return minute === null ? null : (minute + 1) * 60_000;
}
