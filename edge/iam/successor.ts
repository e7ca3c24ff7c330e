import { encodeBase64url } from "#protocol/base64url.ts";
import { utf8 } from "#protocol/bytes.ts";

/**
 * The refresh token that follows another, as an HMAC of it: the same one each time, so that a client that lost the answer
 * can ask again, and nothing that a bearer could use has to be kept (docs/decisions/0024).
 */
export async function successorOf(sql: SqlStorage, token: string): Promise<string> {
  const mac = await crypto.subtle.sign("HMAC", await successorKey(sql), utf8(`coffer-refresh-v1 ${token}`));
  return encodeBase64url(new Uint8Array(mac));
}

/** The key that the store keeps, made at its first use. */
function successorKey(sql: SqlStorage): Promise<CryptoKey> {
  const made = crypto.getRandomValues(new Uint8Array(32));
  sql.exec("INSERT OR IGNORE INTO successor_key VALUES (1, ?)", made);
  const { key } = sql.exec<{ key: ArrayBuffer }>("SELECT key FROM successor_key").one();
  return crypto.subtle.importKey("raw", key, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
}
