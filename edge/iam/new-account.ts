/** A further account of a user (W11), beside the one that the first sign-in begins. */

import type { NewAccountRequest } from "#protocol/contract/index.ts";
import { ownAccountId } from "#protocol/principal.ts";
import { authorize } from "../authorize.ts";
import type { Caller } from "../caller.ts";
import { takeTurn } from "../pace.ts";
import { ok, type Result, refuse } from "../result.ts";
import type { Store } from "../store.ts";
import type { Account } from "./memberships.ts";
import { joinAccount } from "./sign-in.ts";

/** Accounts that one user is a member of: what concerns a user is told to each of them. */
export const MAX_ACCOUNTS = 100;

/**
 * The user's object notes the membership; the account's own founds itself when it hears of it. The same request again is answered as
 * the first time. Errors: `quota-exceeded`, `too-many-requests`.
 */
export async function createAccount(
  store: Store,
  caller: Caller,
  { name, nonce }: NewAccountRequest,
  { now, perMinute }: { now: number; perMinute: number },
): Promise<Result<Account>> {
  const { user: principal, client: app, requestId } = caller;
  const account = await ownAccountId({ tenant: store.tenant, principal, nonce });
  const about = { action: "iam:create-account", caller, resource: `account/${account}`, requestId };
  return authorize<Account>(store, about, (sql) => {
    const [known] = sql
      .exec<Account>("SELECT account AS id, name FROM memberships WHERE account = ?", account)
      .toArray();
    if (known !== undefined) return ok(known);
    const turn = takeTurn(sql, { what: "iam:create-account", user: principal }, perMinute, now);
    if (!turn.ok) return turn;
    const { count } = sql.exec<{ count: number }>("SELECT count(*) AS count FROM memberships").one();
    if (count >= MAX_ACCOUNTS) return refuse("quota-exceeded", "the user has too many accounts");
    joinAccount(sql, { account, name, created: now }, { principal, earlier: false, requestId, nonce, app });
    return ok({ id: account, name });
  });
}
