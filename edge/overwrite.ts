/** Where an object has what must be gone for good when it is deleted: encrypted keys, by table and column. */
type Place = { table: "account_keys"; column: "wrapped" } | { table: "kept"; column: "value" };

/**
 * Deletes rows, all or those of `where`, and overwrites the encrypted key that each holds. SQLite leaves the bytes of a deleted row
 * in its page until something else is written there, and a Durable Object may not set `secure_delete`; a value of the same length
 * takes the place of the one before in the page itself. Inside a transaction, which is then written as one.
 *
 * What the log and the platform's backups hold from before stays there for their time.
 */
export function deleteOverwritten(
  sql: SqlStorage,
  { table, column }: Place,
  where?: { column: string; is: string },
): void {
  const [condition, bindings] = where === undefined ? ["TRUE", []] : [`${where.column} = ?`, [where.is]];
  sql.exec(`UPDATE ${table} SET ${column} = zeroblob(length(${column})) WHERE ${condition}`, ...bindings);
  sql.exec(`DELETE FROM ${table} WHERE ${condition}`, ...bindings);
}
