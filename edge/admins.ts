/** Admins by the deployment's setting: `admins` of a tenant's entry in COFFER_TENANTS. */

import { type Of, object, text } from "#protocol/shape.ts";

/** A person of an issuer, or an address that the tenant's provider has verified to be the person's. */
export type NamedAdmin = { issuer: string; subject: string } | { email: string };

/** As it is written. */
export const namedAdmin = object(
  {},
  {
    issuer: text(1, 300),
    subject: text(1, 255, /^[\x20-\x7e]+$/),
    email: text(3, 254, /^[^@\s]+@[^@\s]+$/),
  },
);

/** Throws, with a sentence, for what names nobody, or might name two. */
export function readAdmin({ issuer, subject, email }: Of<typeof namedAdmin>): NamedAdmin {
  if (email !== undefined && issuer === undefined && subject === undefined) return { email: plain(email) };
  if (issuer !== undefined && subject !== undefined && email === undefined) return { issuer, subject };
  throw new Error("an admin is named by issuer and subject, or by email");
}

/** One spelling of an address: providers differ in case, and no two people of one tenant do in case alone. */
export function plain(email: string): string {
  return email.toLowerCase();
}
