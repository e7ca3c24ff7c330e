import { intend } from "../outbox.ts";
import { type Decision, ok, refuse, turnAway } from "../result.ts";
import { dropNamedBy } from "./named-instances.ts";

/** Refresh tokens live no longer than a sign-in. Seconds. */
export const FAMILY_SECONDS = 24 * 3600;

/** `hash` is that of the token that was presented, `next` that of the one that follows it (`successorOf`). */
type Presented = { hash: string; next: string; client: string; jkt: string; now: number };

export type Family = { id: string; user: string; client: string; jkt: string; expires: number };

/** Starts a family with its first refresh token, for the code with `codeHash`. Inside `authorize()`. */
export function startFamily(
  sql: SqlStorage,
  family: Family & { session: string },
  codeHash: string,
  tokenHash: string,
): void {
  const { id, user, session, client, jkt, expires } = family;
  sql.exec("INSERT INTO families VALUES (?, ?, ?, ?, ?, ?, NULL)", id, user, session, client, jkt, expires);
  sql.exec("UPDATE codes SET family = ? WHERE hash = ?", id, codeHash);
  sql.exec("INSERT INTO refresh_tokens VALUES (?, ?, NULL)", tokenHash, id);
}

/** Ids of the families that were issued in a session, to one app or to all. */
export function familiesOf(sql: SqlStorage, session: string, client: string | null): string[] {
  const rows = sql.exec<{ id: string }>(
    "SELECT id FROM families WHERE session = ? AND client = coalesce(?, client)",
    session,
    client,
  );
  return rows.toArray().map(({ id }) => id);
}

/**
 * Ends families, and notes their keys for the registration authority, which ends grants and instances: whatever ends a
 * sign-in ends those with it. Revoked before or not, since an instance may live longer than a token. Inside `authorize()`.
 */
export function endFamilies(sql: SqlStorage, ids: string[], now: number): void {
  for (const id of ids) {
    sql.exec("UPDATE families SET revoked = ? WHERE id = ? AND revoked IS NULL", now, id);
    noteEnded(sql, sql.exec<Ended>("SELECT user, jkt FROM families WHERE id = ?", id));
  }
  if (ids.length > 0) noteForgotten(sql);
}

/** A DPoP key whose sign-in has ended, and whose it was. */
export type Ended = { user: string; jkt: string };

/** Notes ended keys for the registration authority; what instances they have named is forgotten here. */
export function noteEnded(sql: SqlStorage, ended: Iterable<Ended>): void {
  for (const { user, jkt } of [...ended]) {
    dropNamedBy(sql, jkt);
    intend(sql, `ra/${user}`, { jkt });
  }
}

/** Whom the datastore has taken parts of uploads from, for an account. */
export type Forgotten = { forget: string; user: string };

/** Accounts of a user whose parts of uploads are refused at once; in others they pass as long as the datastore's word is good. */
const MAX_FORGOTTEN = 100;

/**
 * The datastore takes parts of uploads by what it heard of the user's custodians some seconds ago: it is to ask again. Not for
 * sign-ins that have run out: their tokens have too.
 */
export function noteForgotten(sql: SqlStorage): void {
  const accounts = sql
    .exec<Forgotten>(
      "SELECT m.account AS forget, p.id AS user FROM memberships m, principal p ORDER BY m.created, m.account LIMIT ?",
      MAX_FORGOTTEN,
    )
    .toArray();
  for (const account of accounts) intend(sql, `datastore/${account.forget}`, account);
}

/** Ends families that have run out, as above, but for a key that has signed in again. They are deleted afterwards. */
export function endExpiredFamilies(sql: SqlStorage, now: number): void {
  const ended = sql.exec<Ended>(
    `SELECT DISTINCT user, jkt FROM families f WHERE expires <= ? AND NOT EXISTS
       (SELECT 1 FROM families g WHERE g.jkt = f.jkt AND g.revoked IS NULL AND g.expires > ?)`,
    now,
    now,
  );
  noteEnded(sql, ended);
  sql.exec("DELETE FROM refresh_tokens WHERE family IN (SELECT id FROM families WHERE expires <= ?)", now);
  sql.exec("DELETE FROM custodians WHERE family IN (SELECT id FROM families WHERE expires <= ?)", now);
  sql.exec("DELETE FROM families WHERE expires <= ?", now);
}

/** When the next family runs out; null when there is none. */
export function nextExpiry(sql: SqlStorage): number | null {
  return sql.exec<{ next: number | null }>("SELECT min(expires) AS next FROM families").one().next;
}

/**
 * Consumes a refresh token and puts the next one in its place (RFC 9700 §4.14.2). The token that was used last is answered
 * again, with the same next one, to the same key and as long as that one was not used: its first answer was lost, or two
 * tabs asked at once. Any other one that was used before means that two parties hold it: the whole family is revoked.
 * Inside `authorize()`.
 */
export function rotate(sql: SqlStorage, presented: Presented): Decision<Family> {
  const { hash, next, client, jkt, now } = presented;
  const [token] = sql
    .exec<{ family: string }>(
      "UPDATE refresh_tokens SET used = ? WHERE hash = ? AND used IS NULL RETURNING family",
      now,
      hash,
    )
    .toArray();
  if (token === undefined) return repeat(sql, presented);
  const [family] = sql
    .exec<Family & { revoked: number | null }>("SELECT * FROM families WHERE id = ?", token.family)
    .toArray();
  if (family === undefined || family.revoked !== null) return refuse("invalid-grant", "family revoked");
  if (!(now < family.expires)) return refuse("invalid-grant", "family expired");
  if (family.jkt !== jkt || family.client !== client) {
    // Held by someone without the key: as good as a second use.
    endFamilies(sql, [family.id], now);
    return refuse("invalid-grant", "refresh token of another key or client, family revoked");
  }
  sql.exec("INSERT INTO refresh_tokens VALUES (?, ?, NULL)", next, family.id);
  const { id, user, expires } = family;
  return ok({ id, user, client, jkt, expires });
}

/** A refresh token that was used before, or never was one. */
function repeat(sql: SqlStorage, { hash, next, client, jkt, now }: Presented): Decision<Family> {
  const [family] = sql
    .exec<Family & { waiting: number }>(
      `SELECT f.*, EXISTS (SELECT 1 FROM refresh_tokens n WHERE n.hash = ? AND n.family = f.id AND n.used IS NULL) AS waiting
       FROM families f JOIN refresh_tokens t ON t.family = f.id WHERE t.hash = ? AND f.revoked IS NULL`,
      next,
      hash,
    )
    .toArray();
  if (family === undefined) return turnAway("invalid-grant", "unknown or revoked");
  const { id, user, expires } = family;
  const same = family.jkt === jkt && family.client === client;
  if (same && family.waiting === 1 && now < expires) return ok({ id, user, client, jkt, expires });
  endFamilies(sql, [id], now);
  return refuse("invalid-grant", "refresh token used twice, family revoked");
}
