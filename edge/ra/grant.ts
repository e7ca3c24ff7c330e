/**
 * Authorization grant (M3): the custodian, a registered tenant with a certificate (M5), asks for it and passes it into
 * the microservice, which redeems it from the vault's origin under the vault's cookie. 256 bits, 60 seconds, once.
 */

import { decodeBase64url, encodeBase64url } from "#protocol/base64url.ts";
import type { Caller } from "../caller.ts";
import { ok, refuse, refuseForNow } from "../result.ts";
import type { EnrolmentMethod } from "./method.ts";
import type { Binding } from "./types.ts";

const GRANT_SECONDS = 60;
const GRANT_BYTES = 32;
/** Enrolments that one user may begin in a minute, unless configured otherwise. */
export const DEFAULT_PER_MINUTE = 60;
/** Unused grants that one user may have at a time. */
const MOST_OPEN = 16;

/** A new grant and the hash under which it is stored. */
export async function makeGrant(now: number): Promise<{ grant: string; hash: Uint8Array; expires: number }> {
  const secret = crypto.getRandomValues(new Uint8Array(GRANT_BYTES));
  return { grant: encodeBase64url(secret), hash: await hashOf(secret), expires: now + GRANT_SECONDS };
}

/** Stores it, in the transaction of the decision. Refuses when this user has too many open. */
export function storeGrant(
  sql: SqlStorage,
  caller: Caller,
  made: { hash: Uint8Array; expires: number },
  now: number,
  perMinute: number = DEFAULT_PER_MINUTE,
) {
  sql.exec("DELETE FROM grants WHERE expires <= ?", now);
  const { open } = sql
    .exec<{ open: number }>(
      "SELECT count(*) AS open FROM grants WHERE user = ? AND used IS NULL",
      caller.user,
    )
    .one();
  // Used or not, a grant stays until it expires: these are the enrolments that were begun in the last minute.
  const { begun, next } = sql
    .exec<{ begun: number; next: number | null }>(
      "SELECT count(*) AS begun, min(expires) AS next FROM grants WHERE user = ?",
      caller.user,
    )
    .one();
  const wait = (next ?? now) - now;
  if (!(open < MOST_OPEN)) return refuseForNow("too many unused grants", wait);
  if (!(begun < perMinute)) return refuseForNow("too many enrolments", wait);
  sql.exec(
    "INSERT INTO grants (hash, user, custodian, client, jkt, origin, expires) VALUES (?, ?, ?, ?, ?, ?, ?)",
    made.hash,
    caller.user,
    caller.custodian,
    caller.client,
    caller.jkt,
    caller.origin,
    made.expires,
  );
  return ok(undefined);
}

export const grantMethod: EnrolmentMethod = {
  name: "grant",
  tier: "software",

  async prepare(credential) {
    try {
      const secret = decodeBase64url(credential);
      return secret.length === GRANT_BYTES ? await hashOf(secret) : null;
    } catch {
      return null;
    }
  },

  consume(sql, hash, by, now) {
    const [row] = [
      ...sql.exec<Binding & { expires: number }>(
        "UPDATE grants SET used = ? WHERE hash = ? AND used IS NULL RETURNING user, custodian, client, jkt, origin, expires",
        now,
        hash,
      ),
    ];
    if (!row) return refuse("invalid-grant", "grant unknown or already used");
    if (!(now < row.expires)) return refuse("invalid-grant", "grant expired");
    if (row.user !== by.user) return refuse("foreign-custodian", "grant belongs to another user");
    const { user, custodian, client, jkt, origin } = row;
    return ok({ user, custodian, client, jkt, origin });
  },
};

async function hashOf(secret: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", secret));
}
