/**
 * Links after the last checkpoint of their chain. No signature covers them: whoever has the file can have written them. An
 * export has some whenever it was made right after a decision, so they are told apart, and are refused only when they are
 * so old that their checkpoint would have to be there.
 */

import type { Link } from "./chain.ts";
import { AuditError } from "./error.ts";

/** `oldest`, `newest`: what the entries say, seconds since 1970. */
export type Unsigned = { links: number; oldest: number; newest: number };

export const nothingUnsigned: Unsigned = {
  links: 0,
  oldest: Number.POSITIVE_INFINITY,
  newest: Number.NEGATIVE_INFINITY,
};

/**
 * Seconds. An entry is under a signed root within 60; the rest is for clocks that differ by 300, and for an HSM that was
 * away for a moment.
 */
const MAX_UNSIGNED = 600;

/** With one more, of this source. `time`: what the entry says, RFC 3339. Throws `AuditError` for one without a time. */
export function withUnsigned(before: Unsigned, { source, sequence }: Place, time: unknown): Unsigned {
  const at = typeof time === "string" ? Date.parse(time) / 1000 : Number.NaN;
  if (Number.isNaN(at))
    throw new AuditError("audit-chain", `The entry of ${source} at ${sequence} has no time`);
  return {
    links: before.links + 1,
    oldest: Math.min(before.oldest, at),
    newest: Math.max(before.newest, at),
  };
}

type Place = Pick<Link, "sequence"> & { source: string };

/** `signed`: the time of the newest root. What else is in the export also shows how late it was when it was made. */
export function checkUnsigned({ links, oldest, newest }: Unsigned, signed: number): void {
  if (links === 0 || oldest + MAX_UNSIGNED >= Math.max(signed, newest)) return;
  const since = new Date(oldest * 1000).toISOString();
  throw new AuditError(
    "audit-unsigned",
    `${links} decisions are under no signed root, the oldest of ${since}: it would have been under one long before the export`,
  );
}
