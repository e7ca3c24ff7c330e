/** Enrolment sessions: good for one attempt of the one who opened them. */

import { type Decision, ok, refuse } from "../result.ts";
import { bearerOf, newSecret } from "../secret.ts";
import type { Applicant } from "./types.ts";

const SESSION_SECONDS = 300;
/** Whose the sessions are that were opened without a cookie: together they are one user's. No user has this id. */
export const NOBODY = "";
/**
 * Sessions that one user may have at a time, used or not. One more takes the place of a used one, else of the oldest: a
 * session is used within a second of its opening, so an old one is most likely of a tab that was closed. Nothing is won by
 * that: only the vault's own code under the user's own cookie opens one, and anyone who has that can redeem as well. Refusing
 * would keep a person out for five minutes after sixteen closed tabs.
 */
const MAX_SESSIONS = 64;

export type EnrolmentSession = { id: string; nonce: Uint8Array<ArrayBuffer>; expires: number };

/** Stores a new session, in the transaction of the decision. */
export function openSession(
  sql: SqlStorage,
  by: Pick<Applicant, "user" | "principal">,
  now: number,
  nonceBytes: number,
): Decision<EnrolmentSession> {
  const user = by.user ?? NOBODY;
  sql.exec("DELETE FROM enrolments WHERE expires <= ?", now);
  sql.exec(
    `DELETE FROM enrolments WHERE id IN (SELECT id FROM enrolments WHERE user = ?
     ORDER BY (used IS NULL) DESC, expires DESC LIMIT -1 OFFSET ?)`,
    user,
    MAX_SESSIONS - 1,
  );
  const session = {
    // Without a cookie the id says whose object has it.
    id: by.user === null && by.principal !== undefined ? bearerOf(by.principal) : newSecret(),
    nonce: crypto.getRandomValues(new Uint8Array(nonceBytes)),
    expires: now + SESSION_SECONDS,
  };
  sql.exec(
    "INSERT INTO enrolments (id, user, nonce, expires) VALUES (?, ?, ?, ?)",
    session.id,
    user,
    session.nonce,
    session.expires,
  );
  return ok(session);
}

/** Whether there is such a session, of who has no cookie, which nobody has used. */
export function waitsForNobody(sql: SqlStorage, id: string): boolean {
  const found = sql.exec("SELECT 1 FROM enrolments WHERE id = ? AND user = ? AND used IS NULL", id, NOBODY);
  return found.toArray().length > 0;
}

/** Takes the session out of use, whatever follows, and answers its nonce. */
export function consumeSession(
  sql: SqlStorage,
  id: string,
  by: Pick<Applicant, "user" | "principal">,
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
  if (row.user !== (by.user ?? NOBODY))
    return refuse("foreign-custodian", "enrolment belongs to another user");
  return ok(new Uint8Array(row.nonce));
}
