import type { Caller } from "../caller.ts";
import { fail, ok, type Result } from "../result.ts";
import type { Store } from "../store.ts";
import type { Custodian } from "./types.ts";

type Row = {
  user: string;
  client: string;
  dn: string;
  origin: string;
  jkt: string;
  certificate: ArrayBuffer;
  not_after: number;
};

/** The custodian with this name and DPoP key, while its certificate lives and its sign-in is not revoked. */
export function findCustodian(
  store: Store,
  wanted: { dn: string; jkt: string; now: number },
): Result<Custodian> {
  const { dn, jkt, now } = wanted;
  const [row] = store.sql
    .exec<Row>(
      `SELECT c.* FROM custodians c JOIN families f ON f.id = c.family
       WHERE c.jkt = ? AND c.dn = ? AND c.not_after > ? AND f.revoked IS NULL`,
      jkt,
      dn,
      now,
    )
    .toArray();
  if (row === undefined) return fail("foreign-custodian");
  const { user, client, origin, certificate, not_after } = row;
  return ok({
    tenant: store.tenant,
    ...{ user, client, dn, jkt, origin, certificate: new Uint8Array(certificate), notAfter: not_after },
  });
}

/**
 * Whether the sign-in that a token comes from still holds: not signed out, not revoked since the token was issued. Where
 * a key is at stake nobody waits for the token to expire.
 */
export function isSignedIn(
  sql: SqlStorage,
  { jkt, user, client }: Pick<Caller, "jkt" | "user" | "client">,
  now: number,
): boolean {
  const live = sql.exec(
    `SELECT 1 FROM custodians c JOIN families f ON f.id = c.family
     WHERE c.jkt = ? AND c.user = ? AND c.client = ? AND f.revoked IS NULL AND f.expires > ?`,
    jkt,
    user,
    client,
    now,
  );
  return live.toArray().length === 1;
}
