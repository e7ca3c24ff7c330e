/** What a provider or a client has said that is good once, as the SHA-256 of its id, for as long as it would be taken. */

/** A part of the migrations of the objects that need it. `expires`: seconds since 1970. */
export const USED_ONCE_TABLE = `
  -- kind: 'logout' of a logout token, 'transaction' of a sign-in that came back from the provider, 'key-change' of a client's own word that
  -- another key takes the place of its own.
  CREATE TABLE used_once (kind TEXT NOT NULL, id TEXT NOT NULL, expires INTEGER NOT NULL, PRIMARY KEY (kind, id)) STRICT, WITHOUT ROWID;
  CREATE INDEX used_once_by_expiry ON used_once (kind, expires);
`;

/** Of a kind in one object: anybody can begin a sign-in. One more takes the place of the one that would end first. */
const MAX_USED = 2000;

/** Whether it was not used before. Inside `authorize()`, or where a second use is refused without more. */
export function useOnce(
  sql: SqlStorage,
  { kind, id, expires }: { kind: "logout" | "transaction" | "key-change"; id: string; expires: number },
  now: number,
): boolean {
  dropUsed(sql, now);
  const used = sql.exec(
    "INSERT INTO used_once VALUES (?, ?, ?) ON CONFLICT DO NOTHING RETURNING id",
    ...[kind, id, expires],
  );
  sql.exec(
    `DELETE FROM used_once WHERE kind = ?1 AND expires <
       (SELECT expires FROM used_once WHERE kind = ?1 ORDER BY expires DESC LIMIT 1 OFFSET ?2)`,
    ...[kind, MAX_USED - 1],
  );
  return used.toArray().length === 1;
}

export function dropUsed(sql: SqlStorage, now: number): void {
  sql.exec("DELETE FROM used_once WHERE expires <= ?", now);
}
