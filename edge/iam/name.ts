/** The issuer of those who sign in by name alone, which only development has. */
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

/** A person's name as typed, tidied: NFC, single spaces, 1 to 64 characters, nothing invisible. Null if it is not one. */
export function personName(text: unknown): string | null {
  if (typeof text !== "string" || text.length > 256) return null;
  const name = text.normalize("NFC").replace(/\s+/gu, " ").trim();
  return /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]{1,64}$/u.test(name) ? name : null;
}
