/** Enrolment sessions: opened by a signed-in user on the vault's origin, good for one attempt. */

import { type Decision, ok, refuse } from "../result.ts";
import type { SignedIn } from "./types.ts";

const SESSION_SECONDS = 300;
const NONCE_BYTES = 32;
/**
 * Sessions that one user may have at a time, used or not. One more takes the place of a used one, else of the oldest: a
 * session is used within a second of its opening, so an old one is most likely of a tab that was closed. Nothing is won by
 * that: only the vault's own code under the user's own cookie opens one, and anyone who has that can redeem as well. Refusing
 * would keep a person out for five minutes after sixteen closed tabs.
 */
const MOST = 64;

export type EnrolmentSession = { id: string; nonce: Uint8Array<ArrayBuffer>; expires: number };

/** Stores a new session, in the transaction of the decision. */
export function openSession(sql: SqlStorage, by: SignedIn, now: number): Decision<EnrolmentSession> {
  sql.exec("DELETE FROM enrolments WHERE expires <= ?", now);
  sql.exec(
    `DELETE FROM enrolments WHERE id IN (SELECT id FROM enrolments WHERE user = ?
     ORDER BY (used IS NULL) DESC, expires DESC LIMIT -1 OFFSET ?)`,
    by.user,
    MOST - 1,
  );
  const session = {
    id: crypto.randomUUID(),
    nonce: crypto.getRandomValues(new Uint8Array(NONCE_BYTES)),
    expires: now + SESSION_SECONDS,
  };
  sql.exec(
    "INSERT INTO enrolments (id, user, nonce, expires) VALUES (?, ?, ?, ?)",
    session.id,
    by.user,
    session.nonce,
    session.expires,
  );
  return ok(session);
}

/** Takes the session out of use, whatever follows, and answers its nonce. */
export function consumeSession(
  sql: SqlStorage,
  id: string,
  by: SignedIn,
  now: number,
): Decision<Uint8Array<ArrayBuffer>> {
  const [row] = [
    ...sql.exec<{ user: string; nonce: ArrayBuffer; expires: number }>(
      "UPDATE enrolments SET used = ? WHERE id = ? AND used IS NULL RETURNING user, nonce, expires",
      now,
      id,
    ),
  ];
  if (!row) return refuse("invalid-grant", "enrolment unknown or already used");
  if (!(now < row.expires)) return refuse("invalid-grant", "enrolment expired");
  if (row.user !== by.user) return refuse("foreign-custodian", "enrolment belongs to another user");
  return ok(new Uint8Array(row.nonce));
}
