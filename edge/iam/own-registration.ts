/** That a principal is an application server, and by which key: in its own object, as the tenant's has told it. */

import type { EcPublicJwk } from "#protocol/keys/index.ts";

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
