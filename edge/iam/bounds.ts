/**
 * How much of each kind one user may have at a time. What is one too many takes the place of what was idle for longest, so
 * that nobody is locked out by what they forgot to end; a user who still uses what is ended signs in again.
 */

import { configuredBound } from "../bound.ts";
import { type Ended, noteEnded, noteForgotten } from "./families.ts";

/** Live sign-ins of one user: sessions at the vault, and families of tokens in all apps. Unless configured otherwise. */
export const DEFAULT_SIGN_INS = 256;
/** How many sign-ins a user may have by configuration. */
export function maxSignIns(env: { COFFER_SIGN_INS_PER_USER?: string }): number {
  return configuredBound("COFFER_SIGN_INS_PER_USER", env.COFFER_SIGN_INS_PER_USER, DEFAULT_SIGN_INS);
}

/** Sign-ins and refreshes of one user in a minute, by all devices and apps. Unless configured otherwise. */
export const DEFAULT_PER_MINUTE = 240;
/** How many sign-ins and refreshes a user may have in a minute by configuration. */
export function signInsPerMinute(env: { COFFER_SIGN_INS_PER_MINUTE?: string }): number {
  return configuredBound("COFFER_SIGN_INS_PER_MINUTE", env.COFFER_SIGN_INS_PER_MINUTE, DEFAULT_PER_MINUTE);
}

/** Codes that wait to be exchanged: a browser comes back with one at once. */
const MAX_CODES = 16;
/** Refreshes of one sign-in in a minute. One in ten minutes is what a client needs. */
export const MAX_REFRESHES = 30;

/** When a sign-in was last used: its newest refresh, or its beginning. `begun` is an expression of the outer query. */
const lastUse = (families: string, begun: string) =>
  `max(${begun}, coalesce((SELECT max(r.used) FROM refresh_tokens r JOIN families g ON g.id = r.family WHERE ${families}), 0))`;

/** Ends the idlest sessions of a user so that with one more there are `max`, and what was issued in them. */
export function makeRoomForSession(sql: SqlStorage, user: string, max: number): void {
  const excess = sql
    .exec<{ hash: string }>(
      `SELECT s.hash FROM sessions s WHERE s.user = ? ORDER BY ${lastUse("g.session = s.hash", "s.expires - 86400")} DESC
       LIMIT -1 OFFSET ?`,
      user,
      max - 1,
    )
    .toArray();
  for (const { hash } of excess) {
    sql.exec("DELETE FROM sessions WHERE hash = ?", hash);
    dropFamilies(sql, "session = ?", hash);
    sql.exec("DELETE FROM codes WHERE session = ?", hash);
  }
}

/** The same for families of tokens. */
export function makeRoomForFamily(sql: SqlStorage, user: string, max: number): void {
  const excess = sql
    .exec<{ id: string }>(
      `SELECT f.id FROM families f WHERE f.user = ? ORDER BY (f.revoked IS NULL) DESC,
       ${lastUse("g.id = f.id", "f.expires - 86400")} DESC LIMIT -1 OFFSET ?`,
      user,
      max - 1,
    )
    .toArray();
  for (const { id } of excess) dropFamilies(sql, "id = ?", id);
}

/** Drops the oldest codes of a user that nobody has exchanged. */
export function makeRoomForCode(sql: SqlStorage, user: string): void {
  sql.exec(
    `DELETE FROM codes WHERE hash IN (SELECT hash FROM codes WHERE user = ? AND used IS NULL
     ORDER BY expires DESC LIMIT -1 OFFSET ?)`,
    user,
    MAX_CODES - 1,
  );
}

/**
 * Whose a refresh token is, and how often its family was refreshed in the last minute; null for one that is unknown, dead
 * or of another key. Anyone may hold such a one, so it takes nothing of what its user may do.
 */
export function recentRefreshes(
  sql: SqlStorage,
  { hash, jkt, now }: { hash: string; jkt: string; now: number },
): { user: string; recent: number } | null {
  const [token] = sql
    .exec<{ family: string; user: string }>(
      `SELECT f.id AS family, f.user FROM refresh_tokens t JOIN families f ON f.id = t.family
       WHERE t.hash = ? AND f.jkt = ? AND f.revoked IS NULL AND f.expires > ?`,
      hash,
      jkt,
      now,
    )
    .toArray();
  if (token === undefined) return null;
  const { recent } = sql
    .exec<{ recent: number }>(
      "SELECT count(*) AS recent FROM refresh_tokens WHERE family = ? AND used > ? AND used <= ?",
      token.family,
      now - 60,
      now,
    )
    .one();
  return { user: token.user, recent };
}

/** Whose an authorization code is; null for one that is unknown, dead or of another key. */
export function userOfCode(
  sql: SqlStorage,
  { hash, jkt, now }: { hash: string; jkt: string; now: number },
): string | null {
  const [code] = sql
    .exec<{ user: string }>(
      "SELECT user FROM codes WHERE hash = ? AND jkt = ? AND used IS NULL AND expires > ?",
      hash,
      jkt,
      now,
    )
    .toArray();
  return code?.user ?? null;
}

/** Their instances end with them: the registration authority is notified. */
function dropFamilies(sql: SqlStorage, where: "id = ?" | "session = ?", value: string): void {
  const of = `(SELECT id FROM families WHERE ${where})`;
  noteEnded(sql, sql.exec<Ended>(`SELECT user, jkt FROM families WHERE ${where}`, value));
  noteForgotten(sql);
  sql.exec(`DELETE FROM refresh_tokens WHERE family IN ${of}`, value);
  sql.exec(`DELETE FROM custodians WHERE family IN ${of}`, value);
  sql.exec(`DELETE FROM codes WHERE family IN ${of}`, value);
  sql.exec(`DELETE FROM families WHERE ${where}`, value);
}
