/**
 * Authorization grant (M3): the custodian, a registered tenant with a certificate (M5), asks for it and passes it into
 * the microservice, which redeems it from the vault's origin under the vault's cookie. It names whom it is for, and has 256
 * random bits; 60 seconds unless configured otherwise, once.
 */

import { encodeBase64url } from "#protocol/base64url.ts";
import { sha256 } from "#protocol/digest.ts";
import type { Caller } from "../../caller.ts";
import { intend } from "../../outbox.ts";
import { type Decision, ok, refuse, refuseForNow } from "../../result.ts";
import { bearerOf, principalOf } from "../../secret.ts";
import type { Applicant, Binding } from "../types.ts";
import type { Exposed } from "./exposed.ts";
import type { EnrolmentMethod, Verification } from "./method.ts";

/** Life unless configured otherwise, seconds. */
export const GRANT_SECONDS = 60;
/** Enrolments that one user may begin in a minute, unless configured otherwise. */
export const DEFAULT_PER_MINUTE = 120;
/**
 * Unused grants that one user may have at a time in one app. One more ends the oldest, which is most likely of a tab that
 * was closed: a grant is redeemed within a second. By app, since an app that asks without end must not end the grants of
 * the others. What is ended still counts among those begun in the last minute, which is the bound that refuses: replaced
 * there, asking without end would be free.
 */
const MAX_OPEN = 16;

/** A new grant and the hash under which it is stored. */
export async function makeGrant(
  user: string,
  now: number,
  life: number = GRANT_SECONDS,
): Promise<{ grant: string; hash: Uint8Array; expires: number }> {
  const grant = bearerOf(user);
  return { grant, hash: await sha256(grant), expires: now + life };
}

/** Stores it, in the transaction of the decision. Refuses when this user has begun too many of late. */
export function storeGrant(
  sql: SqlStorage,
  caller: Caller,
  made: { hash: Uint8Array; expires: number },
  now: number,
  perMinute: number = DEFAULT_PER_MINUTE,
) {
  sql.exec("DELETE FROM grants WHERE expires <= ?", now);
  // Used or not, a grant stays until it expires: these are the enrolments that were begun in the last minute.
  const { begun, next } = sql
    .exec<{ begun: number; next: number | null }>(
      "SELECT count(*) AS begun, min(expires) AS next FROM grants WHERE user = ?",
      caller.user,
    )
    .one();
  if (!(begun < perMinute)) return refuseForNow("too many enrolments", (next ?? now) - now);
  sql.exec(
    `UPDATE grants SET used = ? WHERE hash IN (SELECT hash FROM grants WHERE user = ? AND client = ? AND used IS NULL
     ORDER BY expires DESC LIMIT -1 OFFSET ?)`,
    now,
    caller.user,
    caller.client,
    MAX_OPEN - 1,
  );
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

export const grantMethod = {
  name: "grant",
  // The grant passes through the app's page, so that the session must be of the person whom it is for.
  challenge: { nonce: 32, signedIn: true },

  async prepare(credential) {
    const principal = principalOf(credential);
    if (principal === null) return null;
    const hash = await sha256(credential);
    return { consume: (sql, by, now) => consume(sql, { principal, hash }, by, now) };
  },
} as const satisfies EnrolmentMethod;

function consume(
  sql: SqlStorage,
  { principal, hash }: { principal: string; hash: Uint8Array },
  by: Applicant,
  now: number,
): Decision<Verification> {
  if (principal !== by.user) {
    // It is in wrong hands: with whom it was given to it is used up too.
    intend(sql, `principal/${principal}`, { grant: encodeBase64url(hash) } satisfies Exposed);
    return refuse("foreign-custodian", "grant belongs to another user");
  }
  const [row] = [
    ...sql.exec<Binding & { expires: number }>(
      "UPDATE grants SET used = ? WHERE hash = ? AND used IS NULL RETURNING user, custodian, client, jkt, origin, expires",
      now,
      hash,
    ),
  ];
  if (!row) return refuse("invalid-grant", "grant unknown or already used");
  if (!(now < row.expires)) return refuse("invalid-grant", "grant expired");
  const { user, custodian, client, jkt, origin } = row;
  const binding = { user, custodian, client, jkt, origin };
  // A grant says who asked, and nothing of what runs.
  return ok(async () => ok({ binding, tier: "software" }));
}
