/** An HMAC key that the store keeps in a table of its own (`only`, `key`), made at its first use. */
export function keptKey(
  sql: SqlStorage,
  table: "ticket_key" | "successor_key",
  usages: ("sign" | "verify")[],
): Promise<CryptoKey> {
  const [kept] = sql.exec<{ key: ArrayBuffer }>(`SELECT key FROM ${table}`).toArray();
  const key = kept ? new Uint8Array(kept.key) : crypto.getRandomValues(new Uint8Array(32));
  if (!kept) sql.exec(`INSERT INTO ${table} VALUES (1, ?)`, key);
  return crypto.subtle.importKey("raw", key, { name: "HMAC", hash: "SHA-256" }, false, usages);
}
