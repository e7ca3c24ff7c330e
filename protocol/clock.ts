/**
 * Time, as every part reads and compares it. A comparison that refuses is written so that it refuses what is no number
 * too: `if (!(now < end)) refuse`, never `if (now >= end) refuse`, which lets NaN pass (test/comparisons.test.ts).
 */

/**
 * How far two honest clocks may differ, in seconds: the one tolerance of proofs, certificates, receipts, trust lists and
 * evidence (docs/decisions, "One tolerance for clocks"). It moves beginnings only; an end that it moved would be a longer
 * life.
 */
export const CLOCK_TOLERANCE = 300;

/** A moment (a `Date`, or milliseconds since 1970) in whole seconds since 1970, as JWTs (RFC 7519 §2) and KMIP count them. */
export function seconds(moment: number | Date): number {
  return Math.floor(Number(moment) / 1000);
}

/**
 * Milliseconds since 1970 of a day `YYYY-MM-DD` and a time `HH:MM` or `HH:MM:SS` in `zone` (`Z` or `±HH:MM`). Throws
 * `TypeError` for a moment that does not exist: `Date.parse` takes 30 February for 2 March.
 */
export function instant(day: string, time: string, zone = "Z"): number {
  const named = Date.parse(`${day}T${time}Z`);
  const moment = Date.parse(`${day}T${time}${zone}`);
  const exists = Number.isFinite(named) && Number.isFinite(moment);
  if (!exists || new Date(named).toISOString().slice(0, 16) !== `${day}T${time.slice(0, 5)}`)
    throw new TypeError("no such moment");
  return moment;
}
