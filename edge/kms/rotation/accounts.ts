/** The accounts of one part of a tenant, and under which master key all keys of each were last seen. */

/** Migrations of the object. Times: milliseconds since 1970. */
export const ROTATION_MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE accounts (
    id TEXT PRIMARY KEY,
    -- Identifier of the master key under which all of its keys are; null while that was never looked at.
    master TEXT,
    -- Failures since the rotation began, and when the account is looked at next.
    failures INTEGER NOT NULL DEFAULT 0,
    due INTEGER NOT NULL DEFAULT 0
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX accounts_by_due ON accounts (due);

  -- The rotation that was begun last: to which master key, and from when on no key is made under the one before.
  CREATE TABLE rotation (
    only INTEGER PRIMARY KEY CHECK (only = 1), master TEXT NOT NULL, settled INTEGER NOT NULL
  ) STRICT;
  `,
];

/** Parts of a tenant. Another number would look for accounts where they are not. */
export const PARTS = 16;

const NAME = "accounts.";

/** What the name of a part's object says after the tenant's. */
export function partName(number: number): string {
  return `${NAME}${number}`;
}

export function partNumber(name: string): number {
  return Number(name.slice(NAME.length));
}

/** How far it is. `failed`: of those that have not moved, how many have failed at least once; they are tried again. */
export type Progress = { master: string | null; all: number; moved: number; failed: number };

/** The first pause after a failure, which doubles with each, and the longest. Milliseconds. */
const PAUSE_MS = 2000;
const MAX_PAUSE_MS = 60_000;

/** A second time changes nothing. */
export function addAccount(sql: SqlStorage, id: string): void {
  sql.exec(
    "INSERT OR IGNORE INTO accounts (id, due) VALUES (?, coalesce((SELECT settled FROM rotation), 0))",
    id,
  );
}

export function removeAccount(sql: SqlStorage, id: string): void {
  sql.exec("DELETE FROM accounts WHERE id = ?", id);
}

/** All accounts go under this key; those that have failed on the way there are tried again at once. */
export function begin(sql: SqlStorage, master: string, settled: number): void {
  const begun = masterOf(sql) !== master;
  if (begun) sql.exec("INSERT OR REPLACE INTO rotation VALUES (1, ?, ?)", master, settled);
  const which = begun ? "" : "AND failures > 0";
  sql.exec(
    `UPDATE accounts SET failures = 0, due = (SELECT settled FROM rotation) WHERE master IS NOT ? ${which}`,
    master,
  );
}

/** To which master key; null before any rotation. */
export function masterOf(sql: SqlStorage): string | null {
  const [row] = sql.exec<{ master: string }>("SELECT master FROM rotation").toArray();
  return row?.master ?? null;
}

/** Accounts whose turn it is, at most `max`. */
export function dueAccounts(sql: SqlStorage, now: number, max: number): string[] {
  const rows = sql.exec<{ id: string }>(
    `SELECT id FROM accounts WHERE due <= ? AND master IS NOT (SELECT master FROM rotation) ORDER BY due LIMIT ?`,
    ...[now, max],
  );
  return rows.toArray().map(({ id }) => id);
}

/** When the next account's turn is; null where all have moved, or no rotation was begun. */
export function nextDue(sql: SqlStorage): number | null {
  if (masterOf(sql) === null) return null;
  return sql
    .exec<{ due: number | null }>(
      "SELECT min(due) AS due FROM accounts WHERE master IS NOT (SELECT master FROM rotation)",
    )
    .one().due;
}

export function moved(sql: SqlStorage, id: string, master: string): void {
  sql.exec("UPDATE accounts SET master = ?, failures = 0 WHERE id = ?", master, id);
}

export function failed(sql: SqlStorage, id: string, now: number): void {
  sql.exec(
    "UPDATE accounts SET failures = failures + 1, due = ? + min(? * (1 << min(failures, 5)), ?) WHERE id = ?",
    ...[now, PAUSE_MS, MAX_PAUSE_MS, id],
  );
}

export function progress(sql: SqlStorage): Progress {
  const master = masterOf(sql);
  const counts = sql
    .exec<{ all: number; moved: number; failed: number }>(
      `SELECT count(*) AS "all", coalesce(sum(master IS ?1), 0) AS moved,
         coalesce(sum(master IS NOT ?1 AND failures > 0), 0) AS failed FROM accounts`,
      master,
    )
    .one();
  return master === null ? { ...counts, master, moved: 0 } : { ...counts, master };
}
