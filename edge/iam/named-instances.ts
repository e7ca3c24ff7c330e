/**
 * Instances that a custodian has named as its own (levels `account` and `master`). The registration authority says what an instance is;
 * that it is the custodian's, the custodian itself says, so that no row of a registry alone is given a token.
 */

/** A part of the migrations of a principal's object. Times: seconds since 1970. */
export const NAMED_INSTANCES_TABLE = `
  -- identity_key: thumbprint of its public half. jkt, client: the custodian that has named it, with whose sign-in the row ends.
  CREATE TABLE named_instances (
    id TEXT NOT NULL, jkt TEXT NOT NULL, client TEXT NOT NULL, identity_key TEXT NOT NULL,
    named INTEGER NOT NULL, not_after INTEGER NOT NULL, PRIMARY KEY (id, jkt)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX named_instances_of ON named_instances (jkt, named);
`;

/** Of one custodian. One more takes the place of the one that was named first. */
const MAX_NAMED = 64;

export type NamedInstance = {
  id: string;
  /** RFC 7638 thumbprint of the instance's identity key. */
  identityKey: string;
  /** The custodian's DPoP key, and its app. */
  jkt: string;
  client: string;
};

/** A second time it takes the place of the first. `notAfter`: when its certificate ends. */
export function keepNamed(
  sql: SqlStorage,
  { id, identityKey, jkt, client, notAfter }: NamedInstance & { notAfter: number },
  now: number,
): void {
  dropEndedNames(sql, now);
  sql.exec(
    "INSERT OR REPLACE INTO named_instances VALUES (?, ?, ?, ?, ?, ?)",
    ...[id, jkt, client, identityKey, now, notAfter],
  );
  sql.exec(
    `DELETE FROM named_instances WHERE jkt = ?1 AND id IN
       (SELECT id FROM named_instances WHERE jkt = ?1 ORDER BY named DESC, id = ?2 DESC LIMIT -1 OFFSET ?3)`,
    ...[jkt, id, MAX_NAMED],
  );
}

/** Whether this custodian has named this instance, with this key. */
export function isNamed(
  sql: SqlStorage,
  { id, identityKey, jkt, client }: NamedInstance,
  now: number,
): boolean {
  const named = sql.exec(
    "SELECT 1 FROM named_instances WHERE id = ? AND jkt = ? AND client = ? AND identity_key = ? AND not_after > ?",
    ...[id, jkt, client, identityKey, now],
  );
  return named.toArray().length === 1;
}

/** The custodian's sign-in has ended. */
export function dropNamedBy(sql: SqlStorage, jkt: string): void {
  sql.exec("DELETE FROM named_instances WHERE jkt = ?", jkt);
}

/** An app ends an instance of its own: whatever the registry says later, it gets no token any more. */
export function dropNamed(sql: SqlStorage, { id, client }: Pick<NamedInstance, "id" | "client">): void {
  sql.exec("DELETE FROM named_instances WHERE id = ? AND client = ?", id, client);
}

export function dropEndedNames(sql: SqlStorage, now: number): void {
  sql.exec("DELETE FROM named_instances WHERE not_after <= ?", now);
}
