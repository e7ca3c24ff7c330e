import { decodeBase64url, encodeBase64url } from "#protocol/base64url.ts";
import { concat, utf8 } from "#protocol/bytes.ts";
import { parseJson } from "#protocol/json.ts";
import { fits, literal, type Of, object, text, union, whole } from "#protocol/shape.ts";
import { newSecret } from "../../secret.ts";

/**
 * A sign-in under way, in a cookie of the browser that began it: encrypted and authenticated under a key of the tenant, and so
 * no row that anyone could have written. First what is needed to take the provider's answer, then who came back.
 */

/** A person types a password and a second factor in the meantime. Seconds. */
export const LEAVE_SECONDS = 15 * 60;
/** A person reads the vault's question in the meantime. Seconds. */
export const BACK_SECONDS = 10 * 60;
/** A cookie has 4,096 bytes at most (RFC 6265 §6.1). */
export const MAX_QUERY = 2048;

const secret = text(43, 43, /^[A-Za-z0-9_-]+$/);
const query = text(0, MAX_QUERY);
const members = { id: secret, issuer: text(1, 300), query, until: whole(0) };
const shape = union("step", {
  leave: object({ step: literal("leave"), ...members, state: secret, nonce: secret, verifier: secret }),
  back: object(
    { step: literal("back"), ...members, subject: text(1, 255), name: text(1, 64) },
    { groups: object({ of: secret, bits: whole(0) }), admin: secret },
  ),
});

export type Transaction = Of<typeof shape>;
export type Leaving = Extract<Transaction, { step: "leave" }>;
export type Returned = Extract<Transaction, { step: "back" }>;

/** Seals and opens a tenant's transactions. */
export type SignInSecrets = CryptoKey;

const IV_BYTES = 12;
const MAX_SEALED = 8192;

/** The key of a tenant's transactions, from a secret of its own that is good for other things too (RFC 5869). */
export async function signInSecrets(raw: Uint8Array<ArrayBuffer>, tenant: string): Promise<SignInSecrets> {
  const base = await crypto.subtle.importKey("raw", raw, "HKDF", false, ["deriveKey"]);
  const info = utf8(JSON.stringify(["coffer-sign-in-v1", tenant]));
  const derivation = { name: "HKDF", hash: "SHA-256", salt: new Uint8Array(0), info };
  return crypto.subtle.deriveKey(derivation, base, { name: "AES-GCM", length: 256 }, false, [
    "encrypt",
    "decrypt",
  ]);
}

export async function sealTransaction(key: SignInSecrets, transaction: Transaction): Promise<string> {
  const iv = crypto.getRandomValues(new Uint8Array(IV_BYTES));
  const plain = utf8(JSON.stringify(transaction));
  const sealed = new Uint8Array(await crypto.subtle.encrypt({ name: "AES-GCM", iv }, key, plain));
  return encodeBase64url(concat(iv, sealed));
}

/** Null for what is none of ours, or has run out. `now` in seconds. */
export async function openTransaction(
  key: SignInSecrets,
  sealed: string | null,
  now: number,
): Promise<Transaction | null> {
  if (sealed === null || sealed.length > MAX_SEALED) return null;
  try {
    const bytes = decodeBase64url(sealed);
    const iv = bytes.subarray(0, IV_BYTES);
    const plain = await crypto.subtle.decrypt({ name: "AES-GCM", iv }, key, bytes.subarray(IV_BYTES));
    const transaction = parseJson(new TextDecoder().decode(plain));
    return fits(shape, transaction) && now < transaction.until ? transaction : null;
  } catch {
    return null;
  }
}

/** A new one: all its secrets are its own. */
export function beginTransaction(of: { issuer: string; query: string; now: number }): Leaving {
  const { issuer, query, now } = of;
  const [id, state, nonce, verifier] = [newSecret(), newSecret(), newSecret(), newSecret()];
  return { step: "leave", id, issuer, query, until: now + LEAVE_SECONDS, state, nonce, verifier };
}
