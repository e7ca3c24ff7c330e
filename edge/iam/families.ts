import { type Decision, ok, refuse, turnAway } from "../result.ts";

/** Refresh tokens live no longer than a sign-in. Seconds. */
export const FAMILY_SECONDS = 24 * 3600;

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

/**
 * Consumes a refresh token and puts the next one in its place (RFC 9700 §4.14.2). One that was used before means that
 * two parties hold it: the whole family is revoked. Inside `authorize()`.
 */
export function rotate(
  sql: SqlStorage,
  presented: { hash: string; next: string; client: string; jkt: string; now: number },
): Decision<Family> {
  const { hash, next, client, jkt, now } = presented;
  const [token] = sql
    .exec<{ family: string }>(
      "UPDATE refresh_tokens SET used = ? WHERE hash = ? AND used IS NULL RETURNING family",
      now,
      hash,
    )
    .toArray();
  if (token === undefined) {
    const revoked = sql.exec(
      "UPDATE families SET revoked = ? WHERE revoked IS NULL AND id = (SELECT family FROM refresh_tokens WHERE hash = ?)",
      now,
      hash,
    );
    return revoked.rowsWritten > 0
      ? refuse("invalid-grant", "refresh token used twice, family revoked")
      : turnAway("invalid-grant", "unknown or revoked");
  }
  const [family] = sql
    .exec<Family & { revoked: number | null }>("SELECT * FROM families WHERE id = ?", token.family)
    .toArray();
  if (family === undefined || family.revoked !== null) return refuse("invalid-grant", "family revoked");
  if (!(now < family.expires)) return refuse("invalid-grant", "family expired");
  if (family.jkt !== jkt || family.client !== client) {
    // Held by someone without the key: as good as a second use.
    sql.exec("UPDATE families SET revoked = ? WHERE id = ?", now, family.id);
    return refuse("invalid-grant", "refresh token of another key or client, family revoked");
  }
  sql.exec("INSERT INTO refresh_tokens VALUES (?, ?, NULL)", next, family.id);
  const { id, user, expires } = family;
  return ok({ id, user, client, jkt, expires });
}

/** Takes a rotation back when the token could not be signed, so that an HSM outage signs nobody out. */
export function takeBack(sql: SqlStorage, hash: string, next: string): void {
  const [unused] = sql
    .exec("DELETE FROM refresh_tokens WHERE hash = ? AND used IS NULL RETURNING hash", next)
    .toArray();
  if (unused !== undefined) sql.exec("UPDATE refresh_tokens SET used = NULL WHERE hash = ?", hash);
}
