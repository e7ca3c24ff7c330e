import { encodeBase64url } from "#protocol/base64url.ts";
import { utf8 } from "#protocol/bytes.ts";
import { keptKey } from "./kept-key.ts";

/**
 * The refresh token that follows another, as an HMAC of it: the same one each time, so that a client that lost the answer
 * can ask again, and nothing that a bearer could use has to be kept (docs/decisions/0024).
 */
export async function successorOf(sql: SqlStorage, token: string): Promise<string> {
  const key = await keptKey(sql, "successor_key", ["sign"]);
  const mac = await crypto.subtle.sign("HMAC", key, utf8(`coffer-refresh-v1 ${token}`));
  return encodeBase64url(new Uint8Array(mac));
}
