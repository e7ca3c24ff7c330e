/** The end of an account, some days ahead (W11): until then it is refused to all and can be kept after all. */

import type { DeletionRequest } from "#protocol/contract/index.ts";
import { daySeconds } from "../days.ts";
import { type Decision, ok, refuse } from "../result.ts";
import { isOwner } from "./members.ts";

/** As cloud KMSs have it. */
const DAYS = 30;
const SETTLING = 60;

/**
 * After so long nobody seals under a version of a data key that another has replaced: half a minute for which an instance goes by what it
 * was told (web/microservice/ladder), and as much for what is under way. No longer than a day in development.
 */
export function settlingSeconds(env: Parameters<typeof daySeconds>[0]): number {
  return Math.min(SETTLING, daySeconds(env));
}

/**
 * Whether a version may be deleted at once: what is sealed under it afterwards would be closed with it. `replaced`: when the next version
 * was made, null where this is the current one. Inside `authorize()`. Errors: `conflict`, and `key-in-use` with the seconds that it takes.
 */
export function checkSettled(
  replaced: number | null,
  { now, settling }: { now: number; settling: number },
): Decision<null> {
  if (replaced === null) return refuse("conflict", "the current data key is replaced first");
  const left = replaced + settling - now;
  if (left <= 0) return ok(null);
  const refusal = refuse("key-in-use", "an instance may seal under it still");
  return { ...refusal, problem: { ...refusal.problem, retryAfter: left } };
}

/** When what was asked for now is due. `now` and what is returned in seconds since 1970. */
export function endOf({ days = DAYS, immediately }: DeletionRequest, now: number, day: number): number {
  return immediately ? now : now + days * day;
}

/** When the account will be deleted; null where that is not scheduled. */
export function scheduledEnd(sql: SqlStorage): number | null {
  const [row] = sql.exec<{ ends: number | null }>("SELECT ends FROM account WHERE deleted IS NULL").toArray();
  return row?.ends ?? null;
}

/** Inside `authorize()`. Asked for again, it stays as it was. */
export function scheduleEnd(sql: SqlStorage, user: string, ends: number): Decision<{ ends: number }> {
  if (!isOwner(sql, user)) return refuse("forbidden", "the user owns no such account");
  sql.exec("UPDATE account SET ends = ? WHERE deleted IS NULL AND ends IS NULL", ends);
  const scheduled = scheduledEnd(sql);
  return scheduled === null ? refuse("forbidden", "the account is shredded") : ok({ ends: scheduled });
}

/** Inside `authorize()`. An end whose time has come is not cancelled any more, though it was not carried out yet. */
export function cancelEnd(sql: SqlStorage, user: string, now: number): Decision<null> {
  if (!isOwner(sql, user)) return refuse("forbidden", "the user owns no such account");
  const kept = sql.exec(
    "UPDATE account SET ends = NULL WHERE deleted IS NULL AND (ends IS NULL OR ends > ?) RETURNING id",
    now,
  );
  return kept.toArray().length === 1 ? ok(null) : refuse("forbidden", "the account's time has come");
}
