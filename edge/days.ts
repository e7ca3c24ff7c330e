const DAY = 86_400;

/** A deployment in development may have shorter days, for tests; one in production has days. Seconds. */
export function daySeconds(env: { COFFER_ENVIRONMENT: string; COFFER_DAY_SECONDS?: string }): number {
  const configured = env.COFFER_DAY_SECONDS;
  if (configured === undefined || env.COFFER_ENVIRONMENT !== "development") return DAY;
  const seconds = Number(configured);
  if (!Number.isSafeInteger(seconds) || seconds < 1)
    throw new TypeError("COFFER_DAY_SECONDS is no number of seconds");
  return seconds;
}
