/**
 * Demonstrating Proof of Possession, RFC 9449: every request carries a signature by a key that cannot leave this browser,
 * so a token that is stolen alone is worth nothing.
 */

import { utf8 } from "#protocol/bytes.ts";
import { type ProofSubject, proofInput } from "#protocol/dpop.ts";
import { type EcPublicJwk, jwkFromSpki } from "#protocol/jwk.ts";
import { jwsToken } from "#protocol/jws.ts";

/** A DPoP key: ECDSA P-256, the private half non-extractable, fit for IndexedDB. */
export interface DpopKey {
  privateKey: CryptoKey;
  jwk: EcPublicJwk;
}

/** Makes a key. One is made for each sign-in, and the IAM certifies it then. */
export async function createDpopKey(): Promise<DpopKey> {
  const pair = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, false, [
    "sign",
    "verify",
  ]);
  const spki = await crypto.subtle.exportKey("spki", pair.publicKey);
  return { privateKey: pair.privateKey, jwk: jwkFromSpki(new Uint8Array(spki)) };
}

/**
 * Whether this is such a key: one that was read back could have been put there by a script of this origin, which would
 * know the private half of a key that it can export. (A copy that it imported as non-extractable looks the same; against
 * that, the vault asks the user before a new key is authorized.)
 */
export function isDpopKey(key: Partial<DpopKey> | undefined): key is DpopKey {
  const privateKey: unknown = key?.privateKey;
  if (!(privateKey instanceof CryptoKey)) return false;
  const { type, extractable, usages } = privateKey;
  const { name, namedCurve } = privateKey.algorithm as KeyAlgorithm & { namedCurve?: string };
  const kind = [type, extractable, usages.join(), name, namedCurve].join(" ");
  return kind === "private false sign ECDSA P-256";
}

/** A DPoP proof JWT for one request. `now` is in milliseconds, `id` a fresh unique value (`jti`). */
export async function createProof(
  key: DpopKey,
  subject: ProofSubject,
  now: number = Date.now(),
  id: string = crypto.randomUUID(),
): Promise<string> {
  const signed = await proofInput(key.jwk, subject, { now, id });
  return jwsToken(signed, await signWith(key, utf8(signed)));
}

/** Signs with the key: ECDSA with SHA-256, r || s. */
export async function signWith(
  { privateKey }: Pick<DpopKey, "privateKey">,
  bytes: Uint8Array<ArrayBuffer>,
): Promise<Uint8Array<ArrayBuffer>> {
  const signature = await crypto.subtle.sign({ name: "ECDSA", hash: "SHA-256" }, privateKey, bytes);
  return new Uint8Array(signature);
}
