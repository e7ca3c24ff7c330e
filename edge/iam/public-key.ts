import { type EcPublicJwk, spkiFromJwk } from "#protocol/keys/index.ts";

/** Whether it is a point of P-256, by which signatures can be verified. */
export async function isPublicKey(jwk: EcPublicJwk): Promise<boolean> {
  const algorithm = { name: "ECDSA", namedCurve: "P-256" };
  return crypto.subtle.importKey("spki", spkiFromJwk(jwk), algorithm, true, ["verify"]).then(
    () => true,
    () => false,
  );
}
