/** The parts of a deployment that reach the HSM, and the identity of each there: the common name of its certificate. */
export const IDENTITY = {
  officer: "coffer-officer",
  kms: "coffer-kms",
  ra: "coffer-ra",
  iam: "coffer-iam",
  audit: "coffer-audit",
} as const;

export type Domain = keyof typeof IDENTITY;
export type Identity = (typeof IDENTITY)[Domain];
export const IDENTITIES: readonly Identity[] = Object.values(IDENTITY);

/** `user` is anyone else whom the client authority has named: an ordinary KMIP client with its own objects. */
export type Role = Domain | "user";

/** Names that look like ours and are not in the table are nobody. */
const RESERVED = /^coffer-/i;

/** Whether a common name is one of ours, or looks like one. */
export function isReserved(identity: string): boolean {
  return RESERVED.test(identity);
}

/** The role of a common name; undefined for one that must not be served. */
export function roleOf(identity: string): Role | undefined {
  const domains = Object.keys(IDENTITY) as Domain[];
  const domain = domains.find((domain) => IDENTITY[domain] === identity);
  return domain ?? (isReserved(identity) ? undefined : "user");
}
