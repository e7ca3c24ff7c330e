/** What the IAM tells other domains. */

import type { EcPublicJwk } from "#protocol/keys/index.ts";

/** Who is signed in on the vault's origin, by its cookie. */
export type VaultSession = {
  /** Names the session to the vault's own scripts, also after the cookie was replaced; nothing is granted for it. */
  id: string;
  tenant: string;
  user: string;
  name: string;
  expires: number;
};

/**
 * W11: the account's current key, encrypted under the tenant's master key by the HSM: AES-256 by AES Key Wrap (RFC 3394), 40
 * bytes; the private half of an RSA-3072 pair, as PKCS#8, by AES-GCM, of which the nonce of 12 bytes comes first and the tag last.
 */
export type AccountKey = {
  /** Key identifier (KI), a random UUID. */
  id: string;
  version: number;
  wrapped: Uint8Array<ArrayBuffer>;
  /** Of a pair its public half, to which data keys are wrapped (SubjectPublicKeyInfo, DER); null for a symmetric key. */
  publicKey: Uint8Array<ArrayBuffer> | null;
  /** Unique identifier of the master key at the HSM. */
  master: string;
};

/** What is shared with an account goes under its key. `name`: of the account; `from`: of that which shares. */
export type ReceivingKey = { key: AccountKey; name: string; from: string };

/** A certified custodian (M5): one DPoP key of one sign-in. */
export type Custodian = {
  tenant: string;
  user: string;
  client: string;
  /** `CN=<user>,OU=<origin>,O=<tenant>` */
  dn: string;
  jkt: string;
  /** Origin of the app. */
  origin: string;
  /** DER. */
  certificate: Uint8Array<ArrayBuffer>;
  /** Seconds since 1970. */
  notAfter: number;
};

/** Public half of a token signing key. */
export type TokenKey = EcPublicJwk & { kid: string; alg: "ES256"; use: "sig" };
