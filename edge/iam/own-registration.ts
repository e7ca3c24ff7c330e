/** That a principal is an application server, and by which key: in its own object, as the tenant's has told it. */

import type { EcPublicJwk } from "#protocol/keys/index.ts";
import { ownAccountId } from "#protocol/principal.ts";
import { authorize } from "../authorize.ts";
import { ok, type Result } from "../result.ts";
import { type Store, subjectOf } from "../store.ts";
import { endFamilies } from "./families.ts";
import type { Registered } from "./registered-clients.ts";
import { isKnown, joinAccount } from "./sign-in.ts";

/** A part of the migrations of a principal's object; a person's has no row. */
export const OWN_REGISTRATION_TABLE = `
  -- number: of the registration. app: the one that it is a custodian of. jwk: its public key, by the thumbprint key; null once it was removed.
  CREATE TABLE own_registration (
    only INTEGER PRIMARY KEY CHECK (only = 1), number INTEGER NOT NULL, app TEXT NOT NULL, jwk TEXT, key TEXT
  ) STRICT;
`;

/** `jwk` and `key` (its thumbprint): null once it was removed. */
export type OwnRegistration =
  | { number: number; app: string; jwk: EcPublicJwk; key: string }
  | { number: number; app: string; jwk: null; key: null };

/** Null for a person, and for who is nobody. */
export function ownRegistration(sql: SqlStorage): OwnRegistration | null {
  const [row] = sql
    .exec<{ number: number; app: string; jwk: string | null; key: string | null }>(
      "SELECT number, app, jwk, key FROM own_registration",
    )
    .toArray();
  if (row === undefined) return null;
  const { number, app, jwk, key } = row;
  return jwk === null || key === null
    ? { number, app, jwk: null, key: null }
    : { number, app, jwk: JSON.parse(jwk) as EcPublicJwk, key };
}

/** Whether the principal is an application server that was removed: nobody makes that one a member of anything. */
export function isRemoved(sql: SqlStorage): boolean {
  return ownRegistration(sql)?.jwk === null;
}

/**
 * Takes what the tenant's object has told; what came late changes nothing. With another key, and with its removal, ends all that was issued. Who is
 * registered for the first time begins with an account of its own, as a person does.
 */
export async function takeRegistration(
  store: Store,
  { number, client, requestId }: Registered,
  now: number,
): Promise<Result<null>> {
  const principal = subjectOf(store.sql);
  const account = await ownAccountId({ tenant: store.tenant, principal });
  const kept = ownRegistration(store.sql);
  const isNews = client === null ? (kept?.number ?? 0) <= number : (kept?.number ?? 0) < number;
  if (!isNews || (client === null && kept?.jwk === null)) return ok(null);
  const action = client === null ? "iam:client-removed" : "iam:client-registered";
  const about = { action, caller: null, resource: `user/${principal}`, requestId };
  return authorize<null>(store, about, (sql) => {
    const live = sql.exec<{ id: string }>("SELECT id FROM families WHERE revoked IS NULL").toArray();
    endFamilies(
      sql,
      live.map(({ id }) => id),
      now,
    );
    const { app = kept?.app ?? "", jwk = null, key = null } = client ?? {};
    sql.exec(
      "INSERT OR REPLACE INTO own_registration VALUES (1, ?, ?, ?, ?)",
      ...[number, app, jwk && JSON.stringify(jwk), key],
    );
    if (client === null || isKnown(sql)) return ok(null);
    const { name } = client;
    sql.exec("INSERT INTO principal VALUES (?, ?, ?)", principal, name, now);
    joinAccount(sql, { account, name, created: now }, { principal, earlier: false, requestId });
    return ok(null);
  });
}
