/** Who may act for an account: a new colleague, and one who leaves. */

import {
  type AccountMember,
  listAccounts,
  listMembers,
  putMember,
  removeMember,
} from "#protocol/contract/index.ts";
import type { AccountRole } from "#protocol/roles.ts";
import { callEmpty, callJson } from "./call.ts";
import type { RestClient } from "./rest.ts";
import type { Account } from "./sign-in.ts";

export type { AccountMember };

/** Errors: `forbidden` for who is no member, or no owner where one is asked for, and those of every request. */
export class Members {
  readonly #rest: RestClient;

  constructor(rest: RestClient) {
    this.#rest = rest;
  }

  /** The user's accounts, with those that somebody has shared since the last sign-in or token. */
  async accounts(): Promise<Account[]> {
    return (await callJson(this.#rest, listAccounts, {}, {})).accounts;
  }

  async list(account: string): Promise<AccountMember[]> {
    return (await callJson(this.#rest, listMembers, { account }, {})).members;
  }

  /**
   * Of an owner: the user with this id is a member from now on, or has another role. Errors: `not-found` for who has never
   * signed in, `conflict` for the last owner, `quota-exceeded`.
   */
  put(account: string, user: string, role: AccountRole): Promise<void> {
    return callEmpty(this.#rest, putMember, { account }, { user, role }, { tries: 3 });
  }

  /**
   * Of an owner, or the user's own. From now on nothing is given to that user; what the user's devices have loaded before goes when
   * those lock. Give the account another key where that matters. Error: `conflict` for the last owner.
   */
  remove(account: string, user: string): Promise<void> {
    return callEmpty(this.#rest, removeMember, { account, user }, {});
  }
}
