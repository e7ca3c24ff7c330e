/** Passkeys in the vault's document, since a Worker has none: an assertion as evidence, and a new one. */

import { decodeBase64url, encodeBase64url } from "#protocol/base64url.ts";
import { encodeHex, utf8 } from "#protocol/bytes.ts";
import type { openPasskey, registerPasskey } from "#protocol/contract/index.ts";
import { enrolmentSubject } from "#protocol/evidence-binder.ts";
import {
  PASSKEY_ALGORITHM,
  PASSKEY_EVIDENCE,
  type PasskeyAssertion,
  passkeyChallenge,
} from "#protocol/passkey.ts";

type Bytes = Uint8Array<ArrayBuffer>;
/** Taken before any foreign message is handled. */
export type Authenticators = Pick<CredentialsContainer, "create" | "get">;

/** What the microservice asks for: its keys, and whom it will serve. The origin is the parent's, which this document knows itself. */
export type AttestQuestion = {
  nonce: Bytes;
  accepts: string[];
  identity: Bytes;
  wrapping: Bytes;
  custodian: string;
  /** Where its keys are to be kept under the passkey. */
  salt?: Bytes | undefined;
};

/**
 * What a passkey gives for a salt (PRF extension, level 3 §10.1.4), 32 bytes: the one secret that crosses from this document to the
 * microservice. It is handed over, and kept nowhere.
 */
export type PasskeySecret = { credential: Bytes; output: Bytes };

/** Milliseconds that a person has. */
const PATIENCE = 120_000;

/**
 * Evidence by a passkey of the person who sits there, over the binder and the measurement that this document has made itself (`sha384-…`).
 * Null where passkeys are not taken or the person says no.
 */
export async function assertion(
  { nonce, accepts, identity, wrapping, custodian, salt }: AttestQuestion,
  at: { vault: string; app: string; measurement: string; authenticators: Authenticators },
): Promise<{ evidence: { type: string; evidence: Bytes }; secret: PasskeySecret | null } | null> {
  if (!accepts.includes(PASSKEY_EVIDENCE)) return null;
  const { vault, app: origin, authenticators } = at;
  const subject = await enrolmentSubject({ identity, wrapping, custodian, origin, vault });
  const measurement = Uint8Array.from(atob(at.measurement.slice("sha384-".length)), (c) => c.charCodeAt(0));
  const challenge = await passkeyChallenge(nonce, subject, measurement);
  const found = await ask(authenticators, vault, { challenge, ...(salt && prf(salt)) });
  if (!found) return null;
  const { authenticatorData, clientDataJSON, signature } = found.response as AuthenticatorAssertionResponse;
  const text = (buffer: ArrayBuffer) => encodeBase64url(new Uint8Array(buffer));
  const said: PasskeyAssertion = {
    id: found.id,
    authenticatorData: text(authenticatorData),
    clientDataJSON: text(clientDataJSON),
    signature: text(signature),
    measurement: encodeHex(measurement),
  };
  const evidence = { type: PASSKEY_EVIDENCE, evidence: utf8(JSON.stringify(said)) };
  return { evidence, secret: secretOf(found) };
}

/** What this passkey gives for the salt; null where its authenticator gives nothing, undefined where it was not shown. */
export async function secretBy(
  { credential, salt }: { credential: Bytes; salt: Bytes },
  { vault, authenticators }: { vault: string; authenticators: Authenticators },
): Promise<PasskeySecret | null | undefined> {
  const found = await ask(authenticators, vault, {
    challenge: crypto.getRandomValues(new Uint8Array(32)),
    allowCredentials: [{ type: "public-key", id: credential }],
    ...prf(salt),
  });
  return found && secretOf(found);
}

async function ask(
  authenticators: Authenticators,
  vault: string,
  asked: PublicKeyCredentialRequestOptions,
): Promise<PublicKeyCredential | undefined> {
  const of = { rpId: new URL(vault).hostname, userVerification: "required", timeout: PATIENCE } as const;
  const found = await authenticators.get({ publicKey: { ...of, ...asked } }).catch(() => null);
  return found instanceof PublicKeyCredential ? found : undefined;
}

function prf(first: Bytes) {
  return { extensions: { prf: { eval: { first } } } };
}

function secretOf(found: PublicKeyCredential): PasskeySecret | null {
  const first = found.getClientExtensionResults().prf?.results?.first;
  if (!(first instanceof ArrayBuffer)) return null;
  return { credential: new Uint8Array(found.rawId), output: new Uint8Array(first) };
}

const OPEN: (typeof openPasskey)["path"] = "/ra/passkeys/challenges";
const REGISTER: (typeof registerPasskey)["path"] = "/ra/passkeys";

/**
 * Makes a passkey and registers it: to be called in the click that asks for it, since browsers make none in a frame otherwise. What came of
 * it, as a word: `registered`, `refused` (by the person or the browser), or the code of a problem.
 */
export async function register(
  at: { vault: string; authenticators: Authenticators; send: typeof fetch },
  opened: Promise<Opened>,
): Promise<string> {
  const { vault, authenticators } = at;
  const challenge = await opened;
  if ("code" in challenge) return challenge.code;
  const made = await authenticators
    .create({
      publicKey: {
        challenge: decodeBase64url(challenge.challenge),
        rp: { id: new URL(vault).hostname, name: "Coffer" },
        user: { id: utf8(challenge.user), name: "Coffer vault", displayName: "Coffer vault" },
        pubKeyCredParams: [{ type: "public-key", alg: PASSKEY_ALGORITHM }],
        excludeCredentials: challenge.known.map((id) => ({ type: "public-key", id: decodeBase64url(id) })),
        authenticatorSelection: { residentKey: "required", userVerification: "required" },
        attestation: "direct",
        // Authenticators prepare for it when a passkey is made, or never.
        extensions: { prf: {} },
        timeout: PATIENCE,
      },
    })
    .catch(() => null);
  if (!(made instanceof PublicKeyCredential)) return "refused";
  const { clientDataJSON, attestationObject } = made.response as AuthenticatorAttestationResponse;
  const answer = await post(at.send, REGISTER, {
    challenge: challenge.challenge,
    id: made.id,
    clientDataJSON: encodeBase64url(new Uint8Array(clientDataJSON)),
    attestationObject: encodeBase64url(new Uint8Array(attestationObject)),
  });
  return "code" in answer ? String(answer.code) : "registered";
}

type Opened = { challenge: string; user: string; known: string[] } | { code: string };

/** A challenge, for the session that this browser has. */
export async function openRegistration(send: typeof fetch): Promise<Opened> {
  return (await post(send, OPEN)) as Opened;
}

async function post(send: typeof fetch, path: string, body?: object): Promise<object> {
  const headers = { "content-type": "application/json" };
  const init = { method: "POST", redirect: "error", ...(body && { headers, body: JSON.stringify(body) }) };
  const answer = await send(path, init as RequestInit).catch(() => null);
  const value: unknown = await answer?.json().catch(() => null);
  return typeof value === "object" && value !== null ? value : { code: "offline" };
}
