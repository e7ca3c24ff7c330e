/** What an answer says of time: how long to wait (Retry-After), and how far this clock is from the server's (Date). */

import { CLOCK_TOLERANCE } from "#protocol/clock.ts";

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

/** Milliseconds of a Retry-After header (RFC 9110 §10.2.3: seconds, or a date); undefined where there is none. */
export function retryAfter(response: Response, now: number): number | undefined {
  const text = response.headers.get("retry-after");
  if (text === null) return undefined;
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1000;
  const until = httpDate(text);
  // By the server's own clock where it tells it.
  const from = httpDate(response.headers.get("date"));
  return Number.isFinite(until) ? Math.max(0, until - (Number.isFinite(from) ? from : now)) : undefined;
}

/** Milliseconds of an HTTP date (RFC 9110 §5.6.7); NaN for anything else, and for a moment that does not exist. */
function httpDate(text: string | null): number {
  const moment = Date.parse(text ?? "");
  return Number.isFinite(moment) && new Date(moment).toUTCString() === text ? moment : Number.NaN;
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
