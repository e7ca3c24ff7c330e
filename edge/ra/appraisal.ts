/** What the verifier says of evidence, once its signed result was verified. */

import { seconds } from "#protocol/clock.ts";
import type { PasskeyRegistration } from "#protocol/contract/index.ts";
import { type PasskeyResult, verifyPasskey, verifyResult } from "#protocol/evidence/index.ts";
import { parseJson } from "#protocol/json.ts";
import type { EcPublicJwk } from "#protocol/keys/index.ts";
import { base64url, checked, literal, object } from "#protocol/shape.ts";
import { audienceOf, RESULTS_ISSUER } from "../attestation.ts";
import type { Result } from "../result.ts";
import { within } from "../within.ts";
import type { EvidenceResult, Presented } from "./types.ts";

/** A verifier that says nothing for so long is away. Milliseconds. */
const PATIENCE_MS = 10_000;
const jwk = object({ kty: literal("EC"), crv: literal("P-256"), x: base64url(32), y: base64url(32) });

/** As far as the registration authority asks it. */
export interface VerifierDoor {
  accepts(of: { tenant: string }): Promise<Result<string[]>>;
  appraise(order: Presented & { tenant: string; audience: string }): Promise<Result<string>>;
  passkey(
    order: PasskeyPresented & { tenant: string; audience: string },
  ): Promise<Result<{ signed: string } | { refused: string }>>;
}

/** A passkey that was registered: base64url; `nonce`: the challenge's bytes. `vault`, `apps`: where it may have been. */
export type PasskeyPresented = PasskeyRegistration & {
  nonce: Uint8Array;
  vault: string;
  apps: readonly string[];
};

/**
 * Has evidence appraised. Throws an `Error` with the reason where there is no result that can be believed: the verifier is
 * away or slow, or what came is not by its key, for this tenant, nonce and key, and of now.
 */
export async function appraisalOf(
  verifier: VerifierDoor,
  { tenant, publicKey }: { tenant: string; publicKey: string },
  presented: Presented,
  patience: number = PATIENCE_MS,
): Promise<EvidenceResult> {
  const audience = audienceOf(tenant);
  const answer = await patiently(verifier.appraise({ tenant, audience, ...presented }), patience);
  if (!answer.ok) throw new Error("it appraises nothing");
  const expected = { audience, nonce: presented.nonce, key: presented.key };
  const known = { issuer: RESULTS_ISSUER, publicKey: publicKeyOf(publicKey) };
  return verifyResult(answer.value, known, expected, seconds(Date.now()));
}

/** Has a passkey verified. The reason where it is refused; throws an `Error` as `appraisalOf` does. */
export async function passkeyOf(
  verifier: VerifierDoor,
  { tenant, publicKey }: { tenant: string; publicKey: string },
  presented: PasskeyPresented,
  patience: number = PATIENCE_MS,
): Promise<PasskeyResult | { refused: string }> {
  const audience = audienceOf(tenant);
  const answer = await patiently(verifier.passkey({ tenant, audience, ...presented }), patience);
  if (!answer.ok) throw new Error("it appraises nothing");
  if ("refused" in answer.value) return answer.value;
  const known = { issuer: RESULTS_ISSUER, publicKey: publicKeyOf(publicKey) };
  const expected = { audience, nonce: presented.nonce };
  return verifyPasskey(answer.value.signed, known, expected, seconds(Date.now()));
}

function publicKeyOf(text: string): EcPublicJwk {
  try {
    return checked(jwk, parseJson(text));
  } catch (cause) {
    throw new Error("COFFER_VERIFIER_PUBLIC_KEY is no public key", { cause });
  }
}

function patiently<T>(answer: Promise<T>, patience: number): Promise<T> {
  const reached = answer.catch(() => {
    throw new Error("it cannot be reached");
  });
  return within(patience, reached, () => {
    throw new Error("it does not answer");
  });
}
