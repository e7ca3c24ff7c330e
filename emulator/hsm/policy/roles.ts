import type { Role } from "#protocol/hierarchy/index.ts";

/** Roles whose objects must come from the key hierarchy or be a recipient: they make nothing else, and ask for what they need. */
export function isRestricted(role: Role): boolean {
  return role !== "officer" && role !== "user";
}
