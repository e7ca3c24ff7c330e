import type { AccountRole } from "#protocol/roles.ts";

/** What the IAM says of a person whose sign-in lives, beside that: roles and groups, by which other domains decide too. */
export type Person = { roles: string[]; groups: string[] };

/** The same of a member of an account. */
export type Member = Person & { as: AccountRole };
