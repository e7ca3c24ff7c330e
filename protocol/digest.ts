/** SHA-256 (FIPS 180-4), on WebCrypto. */

import { encodeBase64url } from "./base64url.ts";
import { utf8 } from "./bytes.ts";

// Taken at load time, before any foreign message can be handled.
const subtle = crypto.subtle;
const subtleDigest = subtle.digest.bind(subtle);

/** The 32 bytes. A text counts as its UTF-8. */
export async function sha256(data: Uint8Array<ArrayBuffer> | string): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await subtleDigest("SHA-256", typeof data === "string" ? utf8(data) : data));
}

/** The same in base64url: 43 characters. */
export async function digest(data: Uint8Array<ArrayBuffer> | string): Promise<string> {
  return encodeBase64url(await sha256(data));
}
