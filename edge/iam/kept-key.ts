/** HMAC keys that a store keeps in tables of their own (`only`, `key`), made at their first use. */

/** The one that makes refresh tokens. */
export function successorKey(sql: SqlStorage): Promise<CryptoKey> {
  return hmacKey(keptKey(sql, "successor_key"), ["sign"]);
}

/** That of the tenant's tickets, for an isolate to keep: `hmacKey` makes it usable. */
export function rawTicketKey(sql: SqlStorage): Uint8Array<ArrayBuffer> {
  return keptKey(sql, "ticket_key");
}

export function hmacKey(key: Uint8Array<ArrayBuffer>, usages: ("sign" | "verify")[]): Promise<CryptoKey> {
  return crypto.subtle.importKey("raw", key, { name: "HMAC", hash: "SHA-256" }, false, usages);
}

function keptKey(sql: SqlStorage, table: "ticket_key" | "successor_key"): Uint8Array<ArrayBuffer> {
  const [kept] = sql.exec<{ key: ArrayBuffer }>(`SELECT key FROM ${table}`).toArray();
  const key = kept ? new Uint8Array(kept.key) : crypto.getRandomValues(new Uint8Array(32));
  if (!kept) sql.exec(`INSERT INTO ${table} VALUES (1, ?)`, key);
  return key;
}
