/** The issuer of people in development, who once signed in by a name alone: their subject is that name. */
export const BY_NAME = "urn:coffer:development";

/** Ids of principals are base32 and tenants slugs: like an origin, they have no character that needs escaping in RFC 4514. */
const PLAIN = /^[a-z0-9][a-z0-9-]{0,62}$/;
const ORIGIN = /^https?:\/\/[a-z0-9.-]{1,253}(:\d{1,5})?$/;

/**
 * Distinguished Name of a custodian, in RFC 4514 order: a user on the origin of an app. Throws for a part that would need
 * escaping.
 */
export function custodianName({
  user,
  origin,
  tenant,
}: {
  user: string;
  origin: string;
  tenant: string;
}): string {
  if (!PLAIN.test(user) || !PLAIN.test(tenant) || !ORIGIN.test(origin))
    throw new TypeError("not a plain name");
  return `CN=${user},OU=${origin},O=${tenant}`;
}

/** Whom a custodian's Distinguished Name names, as `custodianName` writes it; null for what it does not write. */
export function userOfCustodian(dn: string): string | null {
  return /^CN=([a-z0-9][a-z0-9-]{0,62}),OU=/.exec(dn)?.[1] ?? null;
}
