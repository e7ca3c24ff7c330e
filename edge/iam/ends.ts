/**
 * How an account ends, for one member or for all. The account's own object decides, and refuses from then on; the others hear
 * of it afterwards, one after the other: what a key could still be asked of first.
 */

import { intend } from "../outbox.ts";
import { deleteOverwritten } from "../overwrite.ts";
import { type Decision, ok, refuse } from "../result.ts";
import { checkMember, checkOwner, hasOtherOwner, isOwner } from "./members.ts";
import type { End } from "./news.ts";

/** Ends one membership. Inside `authorize()`. Nobody is left to shred an account that its last member has left, so that one cannot. */
function leaveAccount(sql: SqlStorage, user: string, requestId: string): Decision<null> {
  const member = checkMember(sql, user);
  if (!member.ok) return member;
  const others = sql.exec("SELECT 1 FROM members WHERE user != ? LIMIT 1", user).toArray();
  if (others.length === 0) return refuse("conflict", "the last member cannot leave, only shred");
  if (member.value === "owner" && !hasOtherOwner(sql, user))
    return refuse("conflict", "the last owner makes another one first");
  endMembership(sql, user, requestId);
  return ok(null);
}

/** The same for another member, by an owner. Inside `authorize()`. Somebody who is no member is none already. */
export function removeMember(
  sql: SqlStorage,
  user: string,
  { by, requestId }: { by: string; requestId: string },
): Decision<null> {
  if (user === by) return leaveAccount(sql, user, requestId);
  const owner = checkOwner(sql, by);
  if (!owner.ok) return owner;
  endMembership(sql, user, requestId);
  return ok(null);
}

function endMembership(sql: SqlStorage, user: string, requestId: string): void {
  sql.exec("DELETE FROM members WHERE user = ?", user);
  for (const to of ["datastore", "kms", "principal"] as const)
    intend(sql, `left/${user}`, { to, left: user, requestId } satisfies End);
}

/**
 * Ends the account: without its key nothing opens what was sealed for it. Inside `authorize()`. Who was a member is kept, so that
 * one who asks again hears that it is done.
 */
export function shredAccount(
  sql: SqlStorage,
  { user, requestId, now }: { user: string; requestId: string; now: number },
): Decision<null> {
  if (!isOwner(sql, user)) return refuse("forbidden", "the user owns no such account");
  return endAccount(sql, { requestId, now });
}

/** The same once its time has come: nobody asks any more. Inside `authorize()`; a second time changes nothing. */
export function endAccount(
  sql: SqlStorage,
  { requestId, now }: { requestId: string; now: number },
): Decision<null> {
  const members = sql.exec<{ user: string }>("SELECT user FROM members").toArray();
  const shredded = sql.exec("UPDATE account SET deleted = ? WHERE deleted IS NULL RETURNING id", now);
  if (shredded.toArray().length === 0) return ok(null);
  deleteOverwritten(sql, { table: "account_keys", column: "wrapped" });
  sql.exec("DELETE FROM key_identifiers");
  // What an earlier release left there must not begin the account again.
  intend(sql, "tenant", { to: "tenant", shredded: true, requestId } satisfies End);
  sql.exec("DELETE FROM account_key_places");
  sql.exec("DELETE FROM account_key_digests");
  for (const to of ["kms", "datastore"] as const)
    intend(sql, "shredded", { to, shredded: true, requestId } satisfies End);
  // The datastore forgets what it keeps for the IAM with the documents. A store of its own hears by itself, whether or not a row says
  // that it has a key: one may be on its way there.
  intend(sql, "shredded", { to: "store", shredded: true, requestId } satisfies End);
  for (const { user: left } of members)
    intend(sql, "shredded", { to: "principal", left, requestId } satisfies End);
  return ok(null);
}
