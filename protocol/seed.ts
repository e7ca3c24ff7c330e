/**
 * Data keys from a seed (M9), as custodian, microservice, KMS and HSM have it: how long a seed may be, by which parameters the HSM
 * derives, and what each derivation is bound to. The HSM alone has all that goes in:
 *
 *   salt = HMAC-SHA-256(the tenant's HMAC key, seed)
 *   stretched = PBKDF2-HMAC-SHA-256(seed, salt, 600,000 rounds), 32 bytes (RFC 8018 §5.2)
 *   data key = HKDF-SHA-256(stretched, no salt, info = prefix and label), 32 bytes (RFC 5869)
 *
 * Imported by protocol/keys, edge/, web/, cli/ and emulator/.
 */

import { beginsWith, utf8 } from "./bytes.ts";
import { base64url, fits, literal, type Of, object, text } from "./shape.ts";

/** Bytes of the longest seed. What is longer is hashed first (`seed-digest.ts`). */
export const MAX_SEED = 65_536;

/** By this name an EDK says how its key is derived: others are other parameters, and other keys. */
export const SEED_PARAMETERS = "PBKDF2-HMAC-SHA-256-600000";
/** OWASP's number for PBKDF2 with HMAC-SHA-256. */
export const SEED_ROUNDS = 600_000;

/** What the info of the key begins with that opens a seed at the HSM, and of no other key of a channel. */
export const SEED_CHANNEL = "coffer-seed-channel-v1\0";

const SEED_KEY = "coffer-seed-key-v1\0";
/** Characters of a label: what tells several keys of one seed apart. */
const MAX_LABEL = 64;

/** HKDF's info for the key of that label. */
export function seedKeyInfo(label: string): Uint8Array<ArrayBuffer> {
  return utf8(SEED_KEY + label);
}

/** Keys of one seed that one grant is for. */
export const MAX_LABELS = 16;
export const label = /* @__PURE__ */ text(0, MAX_LABEL, /^[\w.-]*$/);

/** Whether the HSM derives a data key by that info: the prefix, and a label of ASCII letters, digits and `._-`, which may be empty. */
export function isSeedKeyInfo(info: Uint8Array): boolean {
  const prefix = utf8(SEED_KEY);
  const rest = new TextDecoder("latin1").decode(info.subarray(prefix.length));
  return beginsWith(info, prefix) && fits(label, rest);
}

/** Of 16 random bytes, which the custodian chooses for each order, and of 32. */
const salt = /* @__PURE__ */ base64url(16);
const seedDigest = /* @__PURE__ */ base64url(32);

/** Which seed: `digest` as `digestOfSeed` gives it. */
export const namedSeed = { salt, digest: seedDigest };

/** What an EDK says of a key that is derived. `key`: identifier of the tenant's HMAC key at the HSM. */
export const seedOfKey = /* @__PURE__ */ object({
  parameters: /* @__PURE__ */ literal(SEED_PARAMETERS),
  key: /* @__PURE__ */ text(1, 64),
  label,
  ...namedSeed,
});
export type SeedOfKey = Of<typeof seedOfKey>;
