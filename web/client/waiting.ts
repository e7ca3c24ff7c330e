/** What an answer says of time: how long to wait (Retry-After), and how far this clock is from the server's (Date). */

import { CLOCK_TOLERANCE } from "#protocol/clock.ts";
import { httpDate } from "#protocol/patience.ts";

export { retryAfter } from "#protocol/patience.ts";

/** A clock that is so far off is said to be, milliseconds: less than the tolerance, for Date tells whole seconds. */
const WRONG = (CLOCK_TOLERANCE - 5) * 1000;

/** Milliseconds that this clock (`now`) is ahead of the server's, below zero when it is behind; undefined if not known. */
export function clockAhead(response: Response, now: number): number | undefined {
  const server = httpDate(response.headers.get("date"));
  return Number.isFinite(server) ? now - server : undefined;
}

/** A sentence for a clock that is wrong; undefined for one that is right as far as is known. */
export function clockSentence(ahead: number | undefined): string | undefined {
  if (ahead === undefined || !(Math.abs(ahead) >= WRONG)) return undefined;
  const direction = ahead > 0 ? "ahead of" : "behind";
  return `This computer's clock is wrong: it is ${spoken(Math.abs(ahead))} ${direction} the server's. Set it right and try again.`;
}

const UNITS = [
  ["day", 86_400_000],
  ["hour", 3_600_000],
  ["minute", 60_000],
  ["second", 1000],
] as const;

/** A time in its largest fitting unit: `7 minutes`, `2 days`. */
export function spoken(milliseconds: number): string {
  const [unit, length] = UNITS.find(([, one]) => milliseconds >= one) ?? (["second", 1000] as const);
  const count = Math.max(1, Math.round(milliseconds / length));
  return `${count} ${unit}${count === 1 ? "" : "s"}`;
}
