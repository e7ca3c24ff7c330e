/**
 * What an instance at level `account` or `master` asks for itself (W2, W4), on the vault's origin, with a token of its own. What
 * it gets is encrypted: Enc(master) and Enc(data) from the KMS, Enc(account) and key identifiers from the IAM. Times are seconds since 1970.
 */

import { ecPublicJwk } from "../jwk.ts";
import { base64url, list, literal, object, open, text, whole } from "../shape.ts";
import { identifier, jws, keyName } from "./names.ts";
import type { BodyOf, Route } from "./route.ts";

/** Data keys of one account that one answer has. */
const MAX_LISTED = 100;

const version = whole(1, 1_000_000_000);
const challenge = base64url(32);
const accountKey = object({ id: identifier, version });
/** Of a data key: 40 bytes by AES Key Wrap, or 384 to an RSA key of 3072 bits, and 28 more under a second layer; of one that is a pair (protocol/keys, data-key-pair.ts) up to 3,042. */
const wrappedDataKey = base64url(40, 3042);
/** Of the private half of a pair as PKCS#8, encrypted. */
const MAX_PRIVATE = 4096;
/** SubjectPublicKeyInfo of an account key that is a pair, DER. */
const publicKey = base64url(256, 1024);

/**
 * RSA-OAEP (SHA-256) to the instance's wrapping certificate, base64url, and the KMS's receipt for it. Of a pair `wrappedKey` is a
 * content-encryption key, `privateKey` the private half under it (PKCS#8 by AES-GCM: nonce, ciphertext, tag); the receipt has the digest of one behind the other. The public half, for data keys that the instance makes.
 */
const releasedAccountKey = open(
  { wrappedKey: text(1, 2048, /^[\w-]+$/), receipt: jws },
  { privateKey: base64url(100, MAX_PRIVATE), publicKey },
);

/**
 * For a tenant whose app-specific keys are symmetric: the instance's share of a channel (X25519), and the id of the key that it holds; or
 * of the one that it wants another for.
 */
const appKey = object({ share: base64url(32) }, { held: identifier, replaces: identifier });
/**
 * The same of a master key. Under a symmetric app-specific key `wrappedKey` is a symmetric master key (AES Key Wrap) or the private half of a pair (PKCS#8 by
 * AES-GCM). `appKey`: that key, where the instance did not hold it, encrypted to its wrapping certificate and passed over the channel.
 * `proof`: where the receipt is one for an earlier challenge, the signature of the key that it names (`cnf`) over `<receipt>.<challenge>`.
 */
const releasedMasterKey = open(
  { wrappedKey: text(1, MAX_PRIVATE, /^[\w-]+$/), receipt: jws },
  {
    privateKey: base64url(100, MAX_PRIVATE),
    appKey: object({ share: base64url(32), nonce: base64url(12), sealed: base64url(400, 528) }),
    proof: base64url(64),
  },
);

/**
 * Level `master`: Enc(master) under the instance's wrapping key. The receipt, or the proof with it, answers the challenge: 32 random bytes. `id`: a master key that
 * the current one has replaced, for what is under a second layer of it (W14).
 */
export const loadMasterKey = {
  site: "vault",
  method: "POST",
  path: "/instances/master-key",
  authentication: "token",
  request: { json: object({ challenge }, { id: identifier, appKey }) },
  answer: { status: 200, json: releasedMasterKey },
  problems: [
    "forbidden",
    "foreign-custodian",
    "not-recipient",
    "not-found",
    "recovery-needed",
    "hsm-refused",
  ],
} as const satisfies Route;
export type MasterKeyRequest = BodyOf<typeof loadMasterKey>;

/** Level `account`: Enc(account) under the instance's wrapping key: the current one, or that of this id. */
export const loadAccountKey = {
  site: "vault",
  method: "POST",
  path: "/instances/account-key",
  authentication: "token",
  request: { json: object({ account: identifier, challenge }, { id: identifier }) },
  answer: { status: 200, json: releasedAccountKey },
  problems: ["forbidden", "foreign-custodian", "not-recipient", "not-found", "hsm-refused"],
} as const satisfies Route;
export type AccountKeyRequest = BodyOf<typeof loadAccountKey>;

/**
 * The key identifier (KI) for data of an account: of its current data key, or of the one that the header of a document names
 * (`key`), if it is this account's; and under which account key it stands.
 */
export const findKeyIdentifier = {
  site: "vault",
  method: "POST",
  path: "/instances/key-identifiers",
  authentication: "token",
  request: { json: object({ account: identifier, purpose: literal("document") }, { key: keyName }) },
  answer: {
    status: 200,
    json: open(
      { keyId: identifier, keyVersion: version, accountKey },
      /** What the tenant's data keys are made as, where those are pairs (W1). */
      { dataKeys: literal("RSA-3072") },
    ),
  },
  problems: ["forbidden", "not-found", "strict-tenant", "hsm-refused"],
} as const satisfies Route;
export type KeyIdentifierRequest = BodyOf<typeof findKeyIdentifier>;

/** Enc(account) as the IAM keeps it, under the tenant's master key: the current one, or that of this id. */
export const readAccountKey = {
  site: "vault",
  method: "GET",
  path: "/instances/accounts/{account}/key",
  authentication: "token",
  parameters: { account: identifier },
  query: { required: {}, optional: { id: identifier } },
  answer: {
    status: 200,
    json: open(
      {
        id: identifier,
        version,
        /**
         * AES Key Wrap (RFC 3394) of 32 bytes; of a pair the private half as PKCS#8 by AES-GCM: nonce (12 bytes), ciphertext, tag. Under a
         * master key that is a pair RSA-OAEP (SHA-256) of 32 bytes; of a pair the same (with a label) of a content-encryption key, and
         * behind it the private half under that.
         */
        wrapped: base64url(40, MAX_PRIVATE),
        /** `keyId` of the master key that wraps it. */
        master: identifier,
      },
      { publicKey },
    ),
  },
  problems: ["forbidden", "not-found", "strict-tenant", "hsm-refused"],
} as const satisfies Route;

/** The account gets another key; the ones before it stay for what they wrap. */
export const rotateAccountKey = {
  site: "vault",
  method: "POST",
  path: "/instances/accounts/{account}/key",
  authentication: "token",
  parameters: { account: identifier },
  answer: { status: 201, json: accountKey },
  problems: ["forbidden", "conflict", "strict-tenant", "hsm-refused"],
} as const satisfies Route;

/**
 * W11: an account key that an instance at level `master` has made, by AES Key Wrap (RFC 3394, 40 bytes) under the master key with that
 * identifier, in the place of the one that it `replaces`; without that it is the account's first. `conflict` where the account has another
 * one by now, or the tenant another master key. Where the HSM keeps no master key, account keys come about in no other way.
 */
export const keepAccountKey = {
  site: "vault",
  method: "PUT",
  path: "/instances/accounts/{account}/key",
  authentication: "token",
  parameters: { account: identifier },
  request: { json: object({ wrapped: base64url(40), master: identifier }, { replaces: identifier }) },
  answer: { status: 201, json: accountKey },
  problems: ["forbidden", "conflict", "hsm-refused"],
} as const satisfies Route;
export type MadeAccountKeyRequest = BodyOf<typeof keepAccountKey>;

const dataKeys = { account: identifier };
const dataKey = { ...dataKeys, key: keyName };

/** The account's data keys as EDKs, the newest first: all that one answer takes. */
export const listDataKeys = {
  site: "vault",
  method: "GET",
  path: "/instances/accounts/{account}/data-keys",
  authentication: "token",
  parameters: dataKeys,
  answer: { status: 200, json: open({ edks: list(jws, 0, MAX_LISTED) }) },
  problems: ["forbidden", "key-refused", "hsm-refused"],
} as const satisfies Route;

/** Enc(data) by its key identifier, as EDK: only what is signed counts. */
export const readDataKey = {
  site: "vault",
  method: "GET",
  path: "/instances/accounts/{account}/data-keys/{key}",
  authentication: "token",
  parameters: dataKey,
  answer: { status: 200, json: open({ edk: jws }) },
  problems: ["forbidden", "not-found", "key-refused", "hsm-refused"],
} as const satisfies Route;

/**
 * W10: the next version of the account's data key, made by the HSM, or with `made` by the instance: wrapped under that account
 * key, and with the instance's word for it, signed by its identity key. With a `layer` that is encrypted once more under the master
 * key, for the version that is said: IV, ciphertext and tag (W14); `conflict` where the next is another. The ones before it go on to
 * open what they sealed.
 */
export const renewDataKey = {
  site: "vault",
  method: "POST",
  path: "/instances/accounts/{account}/data-keys",
  authentication: "token",
  parameters: dataKeys,
  request: {
    json: object(
      { purpose: literal("document") },
      {
        made: object(
          { wrappedKey: wrappedDataKey, accountKey: identifier, key: ecPublicJwk, statement: jws },
          { layer: object({ masterKey: identifier, keyVersion: version }) },
        ),
      },
    ),
  },
  answer: { status: 201, json: open({ edk: jws }) },
  problems: ["forbidden", "conflict", "strict-tenant", "hsm-refused"],
} as const satisfies Route;
export type RenewalRequest = BodyOf<typeof renewDataKey>;

/**
 * For good: what was sealed under it stays closed. The current one is replaced by a new version first, and for a minute after that
 * (`key-in-use`, `Retry-After`) somebody may still seal under it.
 */
export const deleteDataKey = {
  site: "vault",
  method: "DELETE",
  path: "/instances/accounts/{account}/data-keys/{key}",
  authentication: "token",
  parameters: dataKey,
  answer: { status: 204 },
  problems: ["forbidden", "not-found", "conflict", "key-in-use", "hsm-refused"],
} as const satisfies Route;
