/** Application servers that a tenant has registered (W9): the tenant's object is the authority, and tells each client's own. */

import type { EcPublicJwk } from "#protocol/keys/index.ts";
import { intend, isWaiting } from "../outbox.ts";
import { type Decision, ok, refuse } from "../result.ts";

/**
 * A part of the migrations of the tenant's object. `number` names a registration and is not given twice; `id` is the client's principal, `app` the
 * one that it is a custodian of, `jwk` its public key, `by` the admin's user id. Times are seconds since 1970.
 */
export const REGISTERED_CLIENTS_TABLE = `
  CREATE TABLE registered_clients (
    number INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, id TEXT NOT NULL UNIQUE, app TEXT NOT NULL,
    jwk TEXT NOT NULL, key TEXT NOT NULL, since INTEGER NOT NULL, by TEXT NOT NULL
  ) STRICT;
`;

/** A part of the migrations of the tenant's object: who has had a name, for who asks again, and because no role that was given to one counts. */
export const REMOVED_CLIENTS_TABLE = `
  CREATE TABLE removed_clients (id TEXT PRIMARY KEY, name TEXT NOT NULL, place INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  CREATE INDEX removed_clients_by_name ON removed_clients (name);
`;

/** All are read at once. */
const MAX_CLIENTS = 256;
/** So many of those that were removed last are known. */
const MAX_REMOVED = 1024;

export type NewClient = { name: string; id: string; app: string; jwk: EcPublicJwk; key: string };

/** What the tenant's object tells the client's until it was heard; by its number one that comes late is known. */
export type Registered = {
  number: number;
  /** Null: it was removed. */
  client: Omit<NewClient, "id"> | null;
  requestId: string;
};

type Row = { number: number; id: string; app: string; key: string };

/** The client that is registered under this name now. */
export function findRegistered(sql: SqlStorage, name: string): (Row & { jwk: EcPublicJwk }) | null {
  const [row] = sql
    .exec<Row & { jwk: string }>(
      "SELECT number, id, app, key, jwk FROM registered_clients WHERE name = ?",
      name,
    )
    .toArray();
  return row ? { ...row, jwk: JSON.parse(row.jwk) as EcPublicJwk } : null;
}

/**
 * Inside `authorize()`. What is so already changes nothing, and is told again. Another key is another client, of the new id, unless the key before
 * has signed for it (`follows`); the one before is removed.
 */
export function keepClient(
  sql: SqlStorage,
  { id: newId, ...client }: NewClient,
  { by, now, requestId, follows }: { by: string; now: number; requestId: string; follows: boolean },
): Decision<{ id: string }> {
  const { name, app, jwk, key } = client;
  const kept = findRegistered(sql, name);
  if (kept === null) {
    const { count } = sql.exec<{ count: number }>("SELECT count(*) AS count FROM registered_clients").one();
    if (!(count < MAX_CLIENTS)) return refuse("quota-exceeded", "too many clients");
  }
  // In another app it is another one: what it keeps apart (M13) is nobody's to move but its own.
  const isThis = kept !== null && kept.app === app && (kept.key === key || follows);
  const same = isThis && kept.key === key;
  const id = isThis ? kept.id : newId;
  if (kept !== null && !isThis) forget(sql, { ...kept, name, requestId });
  else if (!same) sql.exec("DELETE FROM registered_clients WHERE name = ?", name);
  const { number } = same
    ? kept
    : sql
        .exec<{ number: number }>(
          `INSERT INTO registered_clients (name, id, app, jwk, key, since, by) VALUES (?, ?, ?, ?, ?, ?, ?)
           RETURNING number`,
          ...[name, id, app, JSON.stringify(jwk), key, now, by],
        )
        .one();
  intend(sql, `principal/${id}`, { registered: { number, client, requestId } satisfies Registered });
  return ok({ id });
}

/** Inside `authorize()`. Of one that was removed already it answers the same. */
export function dropClient(sql: SqlStorage, name: string, requestId: string): Decision<null> {
  const kept = findRegistered(sql, name);
  if (kept !== null) forget(sql, { ...kept, name, requestId });
  return removedOf(sql, name).length > 0 ? ok(null) : refuse("not-found", "no such client");
}

function forget(sql: SqlStorage, of: { number: number; id: string; name: string; requestId: string }): void {
  const { number, id, name, requestId } = of;
  sql.exec("DELETE FROM registered_clients WHERE name = ?", name);
  sql.exec("INSERT OR REPLACE INTO removed_clients VALUES (?, ?, ?)", id, name, number);
  sql.exec(
    "DELETE FROM removed_clients WHERE place <= (SELECT max(place) FROM removed_clients) - ?",
    MAX_REMOVED,
  );
  intend(sql, `principal/${id}`, { registered: { number, client: null, requestId } satisfies Registered });
}

function removedOf(sql: SqlStorage, name: string): string[] {
  return sql
    .exec<{ id: string }>("SELECT id FROM removed_clients WHERE name = ?", name)
    .toArray()
    .map(({ id }) => id);
}

/** Whether one who has this name, or has had it, was not heard yet. */
export function isUnheard(sql: SqlStorage, name: string): boolean {
  const { id } = findRegistered(sql, name) ?? {};
  return [...removedOf(sql, name), ...(id === undefined ? [] : [id])].some((who) =>
    isWaiting(sql, `principal/${who}`),
  );
}

export type ClientRow = { name: string; id: string; app: string; key: string; since: number };

export function listClients(sql: SqlStorage): ClientRow[] {
  return sql
    .exec<ClientRow>("SELECT name, id, app, key, since FROM registered_clients ORDER BY name")
    .toArray();
}

/** Whether this user is an application server or was one, which administers nothing, whatever role it was given. */
export function isClient(sql: SqlStorage, user: string): boolean {
  const known = "SELECT id FROM registered_clients UNION SELECT id FROM removed_clients";
  return sql.exec(`SELECT 1 FROM (${known}) WHERE id = ?`, user).toArray().length === 1;
}
