/** Application servers that a tenant has registered (W9): the tenant's object is the authority, and tells each client's own. */

import type { EcPublicJwk } from "#protocol/keys/index.ts";
import { intend } from "../outbox.ts";
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

/** All are read at once. */
const MAX_CLIENTS = 256;

export type NewClient = { name: string; id: string; app: string; jwk: EcPublicJwk; key: string };

/** What the tenant's object tells the client's until it was heard; by its number one that comes late is known. */
export type Registered = {
  number: number;
  /** Null: it was removed. */
  client: Omit<NewClient, "id"> | null;
  requestId: string;
};

type Row = { number: number; app: string; key: string };

/** Inside `authorize()`. What is so already changes nothing, and is told again. */
export function keepClient(
  sql: SqlStorage,
  { id, ...client }: NewClient,
  { by, now, requestId }: { by: string; now: number; requestId: string },
): Decision<{ id: string }> {
  const { name, app, jwk, key } = client;
  const [kept] = sql
    .exec<Row>("SELECT number, app, key FROM registered_clients WHERE name = ?", name)
    .toArray();
  if (kept === undefined) {
    const { count } = sql.exec<{ count: number }>("SELECT count(*) AS count FROM registered_clients").one();
    if (!(count < MAX_CLIENTS)) return refuse("quota-exceeded", "too many clients");
  }
  const same = kept !== undefined && kept.app === app && kept.key === key;
  if (!same) sql.exec("DELETE FROM registered_clients WHERE name = ?", name);
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

/** Inside `authorize()`. Answers whom it was. */
export function dropClient(sql: SqlStorage, name: string, requestId: string): Decision<{ id: string }> {
  const [gone] = sql
    .exec<{ number: number; id: string }>(
      "DELETE FROM registered_clients WHERE name = ? RETURNING number, id",
      name,
    )
    .toArray();
  if (gone === undefined) return refuse("not-found", "no such client");
  const { number, id } = gone;
  intend(sql, `principal/${id}`, { registered: { number, client: null, requestId } satisfies Registered });
  return ok({ id });
}

export type ClientRow = { name: string; id: string; app: string; key: string; since: number };

export function listClients(sql: SqlStorage): ClientRow[] {
  return sql
    .exec<ClientRow>("SELECT name, id, app, key, since FROM registered_clients ORDER BY name")
    .toArray();
}

/** Whether this user is an application server, which administers nothing, whatever role it was given. */
export function isClient(sql: SqlStorage, user: string): boolean {
  return sql.exec("SELECT 1 FROM registered_clients WHERE id = ?", user).toArray().length === 1;
}
