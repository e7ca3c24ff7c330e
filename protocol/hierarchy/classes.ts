/**
 * The rungs of the key hierarchy: each key wraps keys of the next class (`POLICY.class`). What is `encrypted` is a key of
 * any rung that the HSM keeps as it was wrapped, and does nothing with. Where the HSM keeps no master key, one comes back
 * for a moment as `restored`, opened by the officer's `recovery` key. A private key, which is longer than an RSA key encrypts, goes
 * to a recipient under a `cek` (content-encryption key) that was made for this recipient, and under a master key that is a pair
 * by way of a `master-cek`. A symmetric key of one instance, to which the HSM wraps the tenant's master key, is `app-specific`.
 *
 * A pair that signs for an account is a `signature` key below the account key; its private half stands under a `signing` key, and that
 * under the account key. To an instance that goes as data keys do, and opens the private half there.
 *
 * A channel to an instance (M7) is apart from the rungs: of an `agreement` key and the instance's share comes what was
 * `agreed`, of that a `channel` key, which encrypts what is to pass and never wraps, is wrapped or leaves.
 *
 * A seed (M9) comes in by a `seed-channel` key, which unwraps and does nothing else. Of the tenant's `seed-hmac` key and the `seed` comes its
 * `seed-salt`, of seed and salt what is `seed-stretched`, and of that data keys.
 *
 * Where the officer has allowed operations for a tenant (M16), three keys are derived from a data key in the HSM: the `message` key of
 * one message, the `commitment` that stands in its header for everybody to read, and the `mac` key.
 */
export type KeyClass =
  | "master"
  | "account"
  | "data"
  | "signing"
  | "signature"
  | "encrypted"
  | "recovery"
  | "restored"
  | "cek"
  | "master-cek"
  | "app-specific"
  | "agreement"
  | "agreed"
  | "channel"
  | "seed-hmac"
  | "seed-channel"
  | "seed"
  | "seed-salt"
  | "seed-stretched"
  | "message"
  | "commitment"
  | "mac";

/** A symmetric key of the hierarchy, whatever its class. */
export const KEY = { cryptographicAlgorithm: "AES", cryptographicLength: 256 } as const;

/** An asymmetric master or account key: what is below it is wrapped to its public half. */
export const KEY_PAIR = { cryptographicAlgorithm: "RSA", cryptographicLength: 3072 } as const;

/** What the account keys of a tenant are, by the name that its configuration has for it. */
export const ACCOUNT_KEYS = ["AES-256", "RSA-3072"] as const;
export type AccountKeys = (typeof ACCOUNT_KEYS)[number];

/** What the data keys of its accounts are at levels `account` and `master`, by the same names. */
export const DATA_KEYS = ACCOUNT_KEYS;
export type DataKeys = (typeof DATA_KEYS)[number];

/** What its master key is, by the same names. */
export const MASTER_KEYS = ACCOUNT_KEYS;
export type MasterKeys = (typeof MASTER_KEYS)[number];

/** What the app-specific keys of its instances are: the pair whose public half is certified, or beside it a key that the HSM makes. */
export const APP_KEYS = ["RSA-3072", "AES-256"] as const;
export type AppKeys = (typeof APP_KEYS)[number];

/** The key pair of a channel's end in the HSM (RFC 7748). */
export const AGREEMENT = {
  cryptographicAlgorithm: "ECDH",
  cryptographicDomainParameters: { recommendedCurve: "CURVE25519" },
} as const;

/** The tenant's key for the salts of its seeds. */
export const SEED_HMAC = { cryptographicAlgorithm: "HMAC_SHA256", cryptographicLength: 256 } as const;

/** What a key of each class may be used for, and no more. */
export const USAGE = {
  master: ["WrapKey", "UnwrapKey"],
  account: ["WrapKey", "UnwrapKey"],
  data: ["DeriveKey"],
  // One that is made wraps, one that is brought back unwraps.
  signing: ["WrapKey", "UnwrapKey"],
  signature: ["Sign"],
  encrypted: [],
  recovery: ["UnwrapKey"],
  restored: [],
  cek: ["WrapKey"],
  // One that is made wraps, one that is brought back unwraps.
  "master-cek": ["WrapKey", "UnwrapKey"],
  "app-specific": ["WrapKey", "UnwrapKey"],
  agreement: ["DeriveKey"],
  agreed: ["DeriveKey"],
  channel: ["Encrypt"],
  "seed-hmac": ["DeriveKey"],
  "seed-channel": ["UnwrapKey"],
  seed: ["DeriveKey"],
  "seed-salt": ["DeriveKey"],
  "seed-stretched": ["DeriveKey"],
  message: ["Encrypt", "Decrypt"],
  commitment: [],
  mac: ["MACGenerate", "MACVerify"],
} as const satisfies Record<KeyClass, readonly string[]>;

export function isKeyClass(text: string): text is KeyClass {
  return Object.hasOwn(USAGE, text);
}
