import type { VerifierKey } from "#protocol/evidence/index.ts";
import { parseJson } from "#protocol/json.ts";
import { base64url, checked, literal, object } from "#protocol/shape.ts";
import { RESULTS_ISSUER } from "../attestation.ts";

const jwk = object({
  kty: literal("EC"),
  crv: literal("P-256"),
  x: base64url(32),
  y: base64url(32),
  d: base64url(32),
});

let kept: { text: string; key: Promise<VerifierKey | null> } | undefined;

/** The key that results are signed with: the secret COFFER_VERIFIER_KEY, a private JWK of P-256. Null where there is none. */
export function signingKey(env: object): Promise<VerifierKey | null> {
  const secret = (env as { COFFER_VERIFIER_KEY?: unknown }).COFFER_VERIFIER_KEY;
  const text = typeof secret === "string" ? secret : "";
  if (kept?.text !== text) kept = { text, key: importKey(text) };
  return kept.key;
}

async function importKey(text: string): Promise<VerifierKey | null> {
  if (text === "") return null;
  try {
    const { d, ...publicKey } = checked(jwk, parseJson(text));
    const algorithm = { name: "ECDSA", namedCurve: "P-256" };
    const privateKey = await crypto.subtle.importKey("jwk", { ...publicKey, d }, algorithm, false, ["sign"]);
    const ecdsa = { name: "ECDSA", hash: "SHA-256" };
    return {
      issuer: RESULTS_ISSUER,
      publicKey,
      sign: async (bytes) => new Uint8Array(await crypto.subtle.sign(ecdsa, privateKey, bytes)),
    };
  } catch {
    console.error(JSON.stringify({ event: "configuration", variable: "COFFER_VERIFIER_KEY" }));
    return null;
  }
}
