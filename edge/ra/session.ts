/** Enrolment sessions: opened by a signed-in user on the vault's origin, good for one attempt. */

import { type Decision, ok, refuse, refuseForNow } from "../result.ts";
import type { SignedIn } from "./types.ts";

const SESSION_SECONDS = 300;
const NONCE_BYTES = 32;
/** Unused sessions that one user may have at a time. */
const MOST_OPEN = 16;

export type EnrolmentSession = { id: string; nonce: Uint8Array<ArrayBuffer>; expires: number };

/** Stores a new session, in the transaction of the decision. */
export function openSession(sql: SqlStorage, by: SignedIn, now: number): Decision<EnrolmentSession> {
  sql.exec("DELETE FROM enrolments WHERE expires <= ?", now);
  const { open } = sql
    .exec<{ open: number }>(
      "SELECT count(*) AS open FROM enrolments WHERE user = ? AND used IS NULL",
      by.user,
    )
    .one();
  if (!(open < MOST_OPEN)) return refuseForNow("too many open enrolments", SESSION_SECONDS);
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
