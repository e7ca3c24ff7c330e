/** The issuer of people in development, who sign in by a name alone. */
export const BY_NAME = "urn:coffer:development";
