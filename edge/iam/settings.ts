/**
 * What is set for a whole tenant: which of its apps are denied. The tenant's object has it and is on no hot path: an isolate
 * reads it now and then, and brings it along to the principals' objects, each of which goes by the newest that it was brought.
 */

/** `version` grows with every change. `denied`: OAuth client ids. */
export type Settings = { version: number; denied: string[] };

/** Why a denied app is refused, for the audit log. */
export const DENIED = "the app is denied";

/** A part of the migrations of the tenant's object, and of each principal's, which has a copy. */
export const SETTINGS_TABLE = `
  -- denied: JSON of the ids of the apps that get nothing any more.
  CREATE TABLE settings (only INTEGER PRIMARY KEY CHECK (only = 1), version INTEGER NOT NULL, denied TEXT NOT NULL) STRICT;
`;

export function readSettings(sql: SqlStorage): Settings {
  const [row] = sql
    .exec<{ version: number; denied: string }>("SELECT version, denied FROM settings")
    .toArray();
  return row
    ? { version: row.version, denied: JSON.parse(row.denied) as string[] }
    : { version: 0, denied: [] };
}

/** Takes what an isolate brought, unless an older version: one that is behind undoes nothing. Answers what holds now. */
export function takeSettings(sql: SqlStorage, brought: Settings): Settings {
  const kept = readSettings(sql);
  if (brought.version <= kept.version) return kept;
  writeSettings(sql, brought);
  return brought;
}

/** Denies an app, or allows it again. In a transaction; what is so already changes nothing. */
export function changeApp(sql: SqlStorage, app: string, denied: boolean, now: number): void {
  const kept = readSettings(sql);
  if (kept.denied.includes(app) === denied) return;
  const others = kept.denied.filter((other) => other !== app);
  // By the clock: an object that was restored to an earlier state does not give a version twice.
  const version = Math.max(kept.version + 1, now);
  writeSettings(sql, { version, denied: denied ? [...others, app] : others });
}

function writeSettings(sql: SqlStorage, { version, denied }: Settings): void {
  sql.exec("INSERT OR REPLACE INTO settings VALUES (1, ?, ?)", version, JSON.stringify(denied));
}
