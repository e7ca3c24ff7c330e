/** What a vault's document and a verifier say of passkeys (Web Authentication, W3C) to each other, and where evidence is made of one. */
import { concat, utf8 } from "./bytes.ts";
import { sha256 } from "./digest.ts";
import { evidenceBinder } from "./evidence-binder.ts";

/** Media type of an assertion as evidence: JSON, all members base64url but `measurement`. */
export const PASSKEY_EVIDENCE = "application/vnd.coffer.webauthn-assertion+json";
/** COSE algorithm: ECDSA P-256 with SHA-256 (RFC 9053). No other one is asked for, or taken. */
export const PASSKEY_ALGORITHM = -7;

const DOMAIN = utf8("coffer passkey challenge 1");

/**
 * The challenge that a passkey signs at an enrolment: SHA-256 over a domain, the binder of nonce and subject, and the SHA-384 of the
 * code that runs, 48 bytes. An assertion commits to that code; it does not measure it.
 */
export async function passkeyChallenge(
  nonce: Uint8Array,
  subject: string,
  measurement: Uint8Array,
): Promise<Uint8Array<ArrayBuffer>> {
  if (measurement.length !== 48) throw new TypeError("not a SHA-384");
  return sha256(concat(DOMAIN, await evidenceBinder(nonce, subject), measurement));
}

/** What the vault's document sends as evidence. */
export type PasskeyAssertion = {
  /** Credential ID. */
  id: string;
  authenticatorData: string;
  clientDataJSON: string;
  /** ECDSA, DER. */
  signature: string;
  /** SHA-384 of the code that runs as its loader has measured it, lower-case hex. */
  measurement: string;
};
