/** The units of split operation (W13), each a worker of its own: the environments of wrangler.split.toml. */
export const UNITS = ["app", "datastore", "iam", "ra", "verifier", "kms", "caas", "audit"] as const;
export type Unit = (typeof UNITS)[number];

export function isUnit(text: unknown): text is Unit {
  return UNITS.some((unit) => unit === text);
}

/** Those that are workers of their own where the IAM is a module of another. */
export function unitsWith(iamIn: string | undefined): Unit[] {
  return UNITS.filter((unit) => unit !== "iam" || iamIn === undefined);
}
