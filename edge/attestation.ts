/** What verifier and registration authority call each other in attestation results. */

/** `iss`. */
export const RESULTS_ISSUER = "urn:coffer:verifier";

/** `aud`: the registration authority of a tenant. */
export function audienceOf(tenant: string): string {
  return `urn:coffer:ra:${tenant}`;
}
