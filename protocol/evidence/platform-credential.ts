/**
 * M1's variants: a credential that the platform has signed, or encrypted, with a key that was assigned to it earlier. It is about one
 * exchange (nonce, subject), one code and a few minutes, as evidence is; which key it is by the header names, and no certificate
 * comes with it. Emulated platforms alone make them.
 */
import { decodeBase64url } from "../base64url.ts";
import { utf8 } from "../bytes.ts";
import { jwsParts } from "../jws.ts";
import { jwkFromSpki, thumbprint } from "../keys/index.ts";
import { claimsIn, objectIn, textOf } from "./claims.ts";
import type { EvidenceFormat } from "./format.ts";
import { checkNotRevoked } from "./revoked.ts";

const ES256 = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
const ES256_SIGNATURE = 64;
/** Bytes of nonce and tag (RFC 7518 §5.3). */
const [IV, TAG] = [12, 16];

/** Compact JWS, ES256; `kid` is the thumbprint (RFC 7638) of a registered key. */
export const SIGNED_CREDENTIAL = {
  mediaType: "application/vnd.coffer.emulated-credential+jwt",
  attestationType: 0x80000004,
  tier: "emulated",
  anchors: "keys",
  limit: 4096,
  async verify(evidence, expected) {
    const { header, payload, signature, input } = jwsParts(textOf(evidence));
    const { kid } = headerOf(header, { alg: "ES256", typ: "credential+jwt" });
    const keys = expected.keys ?? [];
    // What is no key of P-256 has no thumbprint that a credential could name.
    const names = await Promise.all(
      keys.map(async (spki) => thumbprint(jwkFromSpki(spki.slice()))).map((name) => name.catch(() => "")),
    );
    const signer = keys[names.indexOf(kid)];
    if (!signer) throw new Error("the credential is of no registered key");
    await checkNotRevoked([signer], expected);
    const key = await crypto.subtle.importKey("spki", signer.slice(), ES256, true, ["verify"]);
    const whole = signature.length === ES256_SIGNATURE;
    if (!whole || !(await crypto.subtle.verify(ES256, key, signature, utf8(input))))
      throw new Error("the signature is wrong");
    return claimsIn(objectIn(payload), expected);
  },
} as const satisfies EvidenceFormat;

/** Compact JWE (RFC 7516), `dir` and A256GCM; `kid` is the name of a secret that the verifier has as the platform does. */
export const ENCRYPTED_CREDENTIAL = {
  mediaType: "application/vnd.coffer.emulated-credential+jwe",
  attestationType: 0x80000005,
  tier: "emulated",
  anchors: "keys",
  limit: 4096,
  async verify(evidence, expected) {
    const [head = "", none, iv = "", ciphertext = "", tag = "", ...more] = textOf(evidence).split(".");
    if (none !== "" || more.length > 0) throw new Error("not a credential");
    const { kid } = headerOf(decodeBase64url(head), { alg: "dir", enc: "A256GCM", typ: "credential+jwe" });
    const secret = expected.secrets?.find(({ name }) => name === kid);
    if (!secret) throw new Error("the credential is of no registered key");
    const [nonce, body, mac] = [iv, ciphertext, tag].map((part) => decodeBase64url(part));
    if (nonce?.length !== IV || mac?.length !== TAG || !body) throw new Error("not a credential");
    const sealed = new Uint8Array([...body, ...mac]);
    const opened = await secret.decrypt({ iv: nonce, additionalData: utf8(head) }, sealed).catch(() => {
      throw new Error("the credential was not encrypted under that key");
    });
    return claimsIn(objectIn(opened), expected);
  },
} as const satisfies EvidenceFormat;

/** The header, if it says this, names a key, and says no more. */
function headerOf(bytes: Uint8Array, expected: Record<string, string>): { kid: string } {
  const { kid, ...others } = objectIn(bytes);
  const names = Object.keys(expected);
  const same =
    Object.keys(others).length === names.length && names.every((name) => others[name] === expected[name]);
  if (!same || typeof kid !== "string" || kid === "") throw new Error("not the header of a credential");
  return { kid };
}
