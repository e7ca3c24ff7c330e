/** What the IAM says of a person whose sign-in lives, beside that: roles and groups, by which other domains decide too. */
export type Person = { roles: string[]; groups: string[] };
