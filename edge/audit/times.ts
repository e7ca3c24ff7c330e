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
 * How long a source gathers entries for one checkpoint, each gatherer checkpoints for one call, and the log those for one
 * signature; the rest is for the way and for a second try.
 */
export function delays(env: Configuration): { checkpoint: number; gatherer: number; root: number } {
  const within = 1000 * configuredBound("COFFER_AUDIT_SECONDS", env.COFFER_AUDIT_SECONDS, DEFAULT_SECONDS);
  const share = (within * 3) / 16;
  return { checkpoint: share, gatherer: share, root: share };
}

export function keeping(env: Configuration): { bound: number; ms: number } {
  return {
    bound: configuredBound("COFFER_AUDIT_LINKS", env.COFFER_AUDIT_LINKS, DEFAULT_LINKS),
    ms: KEEP_MS,
  };
}
