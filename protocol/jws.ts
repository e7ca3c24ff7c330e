/** Compact serialization of JWS (RFC 7515 §3.1): text and parts of a token, no matter what it says and who signs it. */

import { decodeBase64url, encodeBase64url } from "./base64url.ts";
import { utf8 } from "./bytes.ts";

/** A header or a payload as it stands in a token. */
export function jwsPart(value: object): string {
  return encodeBase64url(utf8(JSON.stringify(value)));
}

/** The ASCII text to sign (RFC 7515 §5.1). */
export function jwsInput(header: object, payload: object): string {
  return `${jwsPart(header)}.${jwsPart(payload)}`;
}

export function jwsToken(input: string, signature: Uint8Array): string {
  return `${input}.${encodeBase64url(signature)}`;
}

/** The parts of a token as bytes, and the text that is signed. Not verified: a claim by nobody. Throws `TypeError`. */
export function jwsParts(token: string) {
  const [header, payload, signature, ...more] = token.split(".");
  if (header === undefined || payload === undefined || signature === undefined || more.length > 0)
    throw new TypeError("not three parts");
  return {
    header: decodeBase64url(header),
    payload: decodeBase64url(payload),
    signature: decodeBase64url(signature),
    input: `${header}.${payload}`,
  };
}
