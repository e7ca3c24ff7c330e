/** P-256 public keys as JWK (RFC 7517, RFC 7518 §6.2) and SubjectPublicKeyInfo (RFC 5480), and their thumbprint. */

import { decodeBase64url, encodeBase64url } from "./base64url.ts";
import { concat, decodeHex, encodeHex } from "./bytes.ts";
import { digest } from "./digest.ts";
import { base64url, literal, object, type Shape } from "./shape.ts";

/** `x` and `y` are 32 bytes each, base64url. */
export type EcPublicJwk = { kty: "EC"; crv: "P-256"; x: string; y: string };

export const ecPublicJwk: Shape<EcPublicJwk> = /* @__PURE__ */ object({
  kty: /* @__PURE__ */ literal("EC"),
  crv: /* @__PURE__ */ literal("P-256"),
  x: /* @__PURE__ */ base64url(32),
  y: /* @__PURE__ */ base64url(32),
});

/** SEQUENCE { SEQUENCE { id-ecPublicKey, prime256v1 }, BIT STRING { 04 || x || y } } up to and including the 04. */
const SPKI_HEAD = "3059301306072a8648ce3d020106082a8648ce3d03010703420004";

/** Reads a P-256 SPKI of exactly 91 bytes (uncompressed point); throws `TypeError` for any other. */
export function jwkFromSpki(spki: Uint8Array): EcPublicJwk {
  const head = SPKI_HEAD.length / 2;
  if (spki.length !== head + 64 || encodeHex(spki.subarray(0, head)) !== SPKI_HEAD) {
    throw new TypeError("not a P-256 SubjectPublicKeyInfo");
  }
  return {
    kty: "EC",
    crv: "P-256",
    x: encodeBase64url(spki.subarray(head, head + 32)),
    y: encodeBase64url(spki.subarray(head + 32)),
  };
}

/** The 91 bytes of SPKI; throws `TypeError` when a coordinate has another length than 32 bytes. */
export function spkiFromJwk(jwk: EcPublicJwk): Uint8Array<ArrayBuffer> {
  const x = decodeBase64url(jwk.x);
  const y = decodeBase64url(jwk.y);
  if (x.length !== 32 || y.length !== 32) throw new TypeError("not a P-256 point");
  return concat(decodeHex(SPKI_HEAD), x, y);
}

/** RFC 7638 thumbprint with SHA-256, base64url: the `kid` of every key of Coffer. */
export function thumbprint(jwk: EcPublicJwk): Promise<string> {
  return digest(JSON.stringify({ crv: jwk.crv, kty: jwk.kty, x: jwk.x, y: jwk.y }));
}
