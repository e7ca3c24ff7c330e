/**
 * Compact JWS (RFC 7515 §3.1) with the one algorithm ES256. Tokens are at most 8 KiB; the protected header has exactly
 * `alg`, `typ` and `kid`, so that none of `jwk`, `jku`, `x5u`, `x5c`, `crit`, `b64` is ever looked at (RFC 8725 §3).
 * Header and payload must be the very text that `JSON.stringify` writes: no duplicate member, no white space, one reading.
 */

import { utf8 } from "../bytes.ts";
import { parseJson } from "../json.ts";
import { type EcPublicJwk, spkiFromJwk } from "../jwk.ts";
import { jwsInput, jwsParts, jwsToken } from "../jws.ts";
import { base64url, fits, literal, object } from "../shape.ts";
import { MAX_JWS_LENGTH } from "./length.ts";
import { lowS } from "./low-s.ts";

const subtle = crypto.subtle;
const importKey = subtle.importKey.bind(subtle);
const verify = subtle.verify.bind(subtle);

export type JwsErrorCode =
  | "jws-malformed" // not a compact JWS of this kind, too long, or not the canonical text
  | "jws-type" // another alg or typ, or another header member
  | "jws-key" // the key is unknown or is for another purpose
  | "jws-signature" // the signature does not verify
  | "jws-payload" // signed, but not of the shape that the type demands
  | "jws-expired" // its time is over
  | "jws-early" // it claims to come from the future
  | "jws-superseded"; // a later one was seen

/** Why a signed record was refused. `code` is stable; show outsiders one generic refusal. */
export class JwsError extends Error {
  override readonly name = "JwsError";
  readonly code: JwsErrorCode;
  constructor(code: JwsErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** The ASCII text to sign with ES256: `signature = sign(signingInput(…))`, then `joinJws`. */
export function signingInput(header: { typ: string; kid: string }, payload: object): string {
  return jwsInput(protectedHeader(header), payload);
}

/** The protected header: these three members in this order, so that it has one text. */
export function protectedHeader({ typ, kid }: { typ: string; kid: string }) {
  return { alg: "ES256", typ, kid };
}

/** Compact serialization of a signing input and its 64-byte signature r || s, brought to the lower s. Throws `JwsError` above 8 KiB. */
export function joinJws(input: string, signature: Uint8Array): string {
  if (signature.length !== 64) throw new JwsError("jws-malformed", "signature is not r || s of P-256");
  const token = jwsToken(input, lowS(signature));
  if (token.length > MAX_JWS_LENGTH) throw new JwsError("jws-malformed", "token would be too long");
  return token;
}

/**
 * Verifies a compact JWS of type `typ` and returns its payload, whose shape the caller has yet to check.
 * `keyOf` gives the public key for a `kid`, or null when there is none for this purpose. Throws `JwsError`.
 */
export async function verifyJws(
  token: string,
  typ: string,
  keyOf: (kid: string) => EcPublicJwk | null,
): Promise<unknown> {
  const { header, payload, input, signature } = split(token);
  if (!fits(object({ alg: literal("ES256"), typ: literal(typ), kid: base64url(32) }), header)) {
    throw new JwsError("jws-type", "header is not of this type");
  }
  const jwk = keyOf(header.kid);
  if (!jwk) throw new JwsError("jws-key", "no such key for this purpose");
  if (!(await isSignedBy(jwk, signature, input))) {
    throw new JwsError("jws-signature", "signature does not verify");
  }
  return payload;
}

/** `signature`: r || s. Throws for a key that is no point of the curve. */
export async function isSignedBy(
  jwk: EcPublicJwk,
  signature: Uint8Array<ArrayBuffer>,
  input: string,
): Promise<boolean> {
  const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
  const key = await importKey("spki", spkiFromJwk(jwk), algorithm, true, ["verify"]);
  return verify(algorithm, key, signature, utf8(input));
}

/** Splits and parses without verifying. What it returns is a claim by nobody. */
function split(token: unknown) {
  if (typeof token !== "string" || token.length > MAX_JWS_LENGTH) {
    throw new JwsError("jws-malformed", "not a compact JWS of at most 8 KiB");
  }
  const { header, payload, signature, input } = partsOf(token);
  if (signature.length !== 64) throw new JwsError("jws-malformed", "signature is not r || s of P-256");
  return { header: decodeJson(header), payload: decodeJson(payload), input, signature };
}

function partsOf(token: string) {
  try {
    return jwsParts(token);
  } catch {
    throw new JwsError("jws-malformed", "not three parts of base64url");
  }
}

function decodeJson(bytes: Uint8Array): unknown {
  let value: unknown;
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    value = parseJson(text);
  } catch {
    throw new JwsError("jws-malformed", "not JSON");
  }
  if (typeof value !== "object" || JSON.stringify(value) !== text)
    throw new JwsError("jws-malformed", "not canonical JSON");
  return value;
}
