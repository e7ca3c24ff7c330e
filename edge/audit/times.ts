import { configuredBound } from "../bound.ts";

/** An entry is in a signed root within this time. Seconds. */
const DEFAULT_SECONDS = 60;
/** Links that a source keeps beside its segments, and for how long. Milliseconds. */
const DEFAULT_LINKS = 10_000;
const KEEP_MS = 30 * 24 * 3600 * 1000;
/** After what did not go well. Milliseconds. */
export const AGAIN_MS = 5_000;

type Configuration = Pick<Env, "COFFER_AUDIT_SECONDS" | "COFFER_AUDIT_LINKS">;

/**
 * How long a source gathers entries for one checkpoint, and the log checkpoints for one signature; the rest is for the way
 * and for a second try. Most of it is the source's: each checkpoint is a call of the tenant's one log, and a signature is
 * one for all sources.
 */
export function delays(env: Configuration): { checkpoint: number; root: number } {
  const within = 1000 * configuredBound("COFFER_AUDIT_SECONDS", env.COFFER_AUDIT_SECONDS, DEFAULT_SECONDS);
  return { checkpoint: (within * 3) / 5, root: within / 5 };
}

export function keeping(env: Configuration): { bound: number; ms: number } {
  return {
    bound: configuredBound("COFFER_AUDIT_LINKS", env.COFFER_AUDIT_LINKS, DEFAULT_LINKS),
    ms: KEEP_MS,
  };
}
