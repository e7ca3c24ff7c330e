import { encodeBase64url } from "#protocol/base64url.ts";
import { utf8 } from "#protocol/bytes.ts";
import { bearerOf } from "../secret.ts";
import { successorKey } from "./kept-key.ts";

/**
 * The refresh token that follows another, as an HMAC of it: the same one each time, so that a client that lost the answer
 * can ask again, and nothing that a bearer could use has to be kept (docs/decisions/0024).
 */
export async function successorOf(sql: SqlStorage, principal: string, token: string): Promise<string> {
  const key = await successorKey(sql);
  const mac = await crypto.subtle.sign("HMAC", key, utf8(`coffer-refresh-v1 ${token}`));
  return bearerOf(principal, encodeBase64url(new Uint8Array(mac)));
}
