import { configuredBound } from "../bound.ts";
import type { Times } from "./cache/index.ts";

/** Unless configured otherwise: what was fetched outlives an HSM's restart, and a change is seen within half a minute. Seconds. */
const KEPT = 300;
const POLL = 30;

/** COFFER_KEY_CACHE_SECONDS and COFFER_KEY_POLL_SECONDS. Throws for one that is mistyped. */
export function cacheTimes(configuration: {
  COFFER_KEY_CACHE_SECONDS?: string;
  COFFER_KEY_POLL_SECONDS?: string;
}): Times {
  const { COFFER_KEY_CACHE_SECONDS: keep, COFFER_KEY_POLL_SECONDS: poll } = configuration;
  return {
    keep: configuredBound("COFFER_KEY_CACHE_SECONDS", keep, KEPT) * 1000,
    poll: configuredBound("COFFER_KEY_POLL_SECONDS", poll, POLL) * 1000,
  };
}
