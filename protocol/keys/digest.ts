import { encodeBase64url } from "../base64url.ts";

// Taken at load time, before any foreign message can be handled (DESIGN, WebCrypto traps).
const subtle = crypto.subtle;
const subtleDigest = subtle.digest.bind(subtle);

/** SHA-256 of bytes or of the ASCII of a compact JWS, base64url: 43 characters. */
export async function digest(data: Uint8Array<ArrayBuffer> | string): Promise<string> {
  const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
  return encodeBase64url(new Uint8Array(await subtleDigest("SHA-256", bytes)));
}
