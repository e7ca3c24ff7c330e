/** What a person is to a tenant and to an account, beside being one of its people. */

import { text } from "./shape.ts";

/**
 * `admin` says who has which role, who is in which group, and which clients there are; `auditor` reads the audit log. Neither
 * opens a document: for that a person is a member of its account.
 */
export const TENANT_ROLES = ["admin", "auditor"] as const;
export type TenantRole = (typeof TENANT_ROLES)[number];

export function isTenantRole(text: string): text is TenantRole {
  return TENANT_ROLES.some((role) => role === text);
}

/**
 * Of a member of an account: `owner` says who is one, and ends the account; `member` seals, opens and deletes; `reader` opens and
 * changes nothing.
 */
export const ACCOUNT_ROLES = ["owner", "member", "reader"] as const;
export type AccountRole = (typeof ACCOUNT_ROLES)[number];

/** Of a group of people, which policies speak of. */
export const groupName = text(1, 63, /^[a-z0-9][a-z0-9-]*$/);
