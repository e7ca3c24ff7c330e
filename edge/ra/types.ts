/** What crosses the RA's RPC. Times are seconds since 1970. */

import type { Tier } from "#protocol/policy/index.ts";

/** Who is behind the vault's cookie, and the Origin header of the request. The gateway has checked the cookie. */
export type SignedIn = { tenant: string; user: string; origin: string; requestId: string };

/** M3: a short-lived credential that works once. `grant` is 256 random bits, base64url; only its hash is kept. */
export type GrantIssued = { grant: string; expires: number };

/** An open enrolment session. `nonce` is 32 random bytes, base64url: it goes into the certificate request. */
export type EnrolmentOpened = { id: string; nonce: string; expires: number; accepts: MethodName[] };

export type MethodName = "grant";

/** What an enrolment ends with. Certificates are base64url DER. */
export type Enrolment = {
  instance: string;
  method: MethodName;
  identityCertificate: string;
  wrappingCertificate: string;
  /** Issuing CA and root. */
  chain: string[];
  /** Root-signed trust list (protocol/keys). */
  trust: string;
  /** Distinguished Name and origin of the one custodian that the instance serves (M13). */
  custodian: string;
  origin: string;
  notAfter: number;
};

/** What the KMS has to know of the holder of a wrapping certificate. */
export type Recipient = {
  instance: string;
  custodian: string;
  user: string;
  origin: string;
  tier: Tier;
  /** Unique identifier of the public key at the HSM. */
  hsmKey: string;
  notAfter: number;
  status: "active" | "revoked" | "expired";
};

/** An instance as its user sees it. */
export type Instance = {
  id: string;
  custodian: string;
  origin: string;
  method: MethodName;
  tier: Tier;
  enrolled: number;
  notAfter: number;
  status: Recipient["status"];
};

/** Whom an instance is bound to for its life (M13). */
export type Binding = { user: string; custodian: string; client: string; jkt: string; origin: string };
