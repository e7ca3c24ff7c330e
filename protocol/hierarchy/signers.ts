/**
 * What each signing key of a deployment signs (`POLICY.signType`): compact JWS of one `typ`, or certificates of an
 * authority's leaves. CA, EDK, receipt, token and audit signatures have separate keys.
 */

import type { Domain } from "./identities.ts";

/** An authority's key signs certificates of leaves, and nothing else. */
export const CERTIFICATE = "certificate";

/** The `typ` (RFC 7515 §4.1.9) of what the key for a purpose signs. */
export const SIGN_TYPE = {
  edk: "coffer-edk+jws",
  receipt: "coffer-receipt+jwt",
  token: "at+jwt",
  audit: "coffer-audit-head+jwt",
} as const;

/** What a key may sign. A key for one purpose proves nothing for another. */
export type Purpose = keyof typeof SIGN_TYPE;
export const PURPOSES = Object.keys(SIGN_TYPE) as Purpose[];

/** Names of the keys, and who has them sign. */
export const SIGNER = {
  edk: { key: "coffer/sign/edk", publicKey: "coffer/sign/edk/public", user: "kms" },
  receipt: { key: "coffer/sign/receipt", publicKey: "coffer/sign/receipt/public", user: "kms" },
  token: { key: "coffer/sign/token", publicKey: "coffer/sign/token/public", user: "iam" },
  audit: { key: "coffer/sign/audit", publicKey: "coffer/sign/audit/public", user: "audit" },
} as const satisfies Record<Purpose, { key: string; publicKey: string; user: Domain }>;

/** `CERTIFICATE`, or the `typ` of a JWS. */
export function isSignType(text: string): boolean {
  return text === CERTIFICATE || /^[a-z0-9][a-z0-9.-]{0,62}\+(jws|jwt)$/.test(text);
}
