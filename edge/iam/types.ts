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
 * W11: the account's current key, encrypted under the tenant's master key by the HSM (AES Key Wrap, RFC 3394: 40 bytes
 * for AES-256).
 */
export type AccountKey = {
  /** Key identifier (KI), a random UUID. */
  id: string;
  version: number;
  wrapped: Uint8Array<ArrayBuffer>;
  /** Unique identifier of the master key at the HSM. */
  master: string;
};

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
