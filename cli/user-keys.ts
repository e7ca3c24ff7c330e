/** Keys of the tenant itself that others have ordered, for an admin (M11). No page has use for it, so it is not of the kit. */

import { type AnswerOf, endUserKey, listUserKeys } from "#protocol/contract/index.ts";
import { callEmpty, callJson } from "#web/client/call.ts";
import type { RestClient } from "#web/client/rest.ts";

export type UserKey = AnswerOf<typeof listUserKeys>["keys"][number];

/** Users are named by their ids, versions `<id>.<version>`. Errors: `forbidden` for who is no admin, and those of every request. */
export class UserKeys {
  readonly #rest: RestClient;

  constructor(rest: RestClient) {
    this.#rest = rest;
  }

  /** In all apps. */
  async list(user: string): Promise<UserKey[]> {
    const found: UserKey[] = [];
    for (let after: string | undefined; ; ) {
      const input = { user, ...(after !== undefined && { after }) };
      const { keys, more } = await callJson(this.#rest, listUserKeys, input, undefined);
      found.push(...keys);
      const last = keys.at(-1)?.key;
      if (!more || last === undefined || last === after) return found;
      after = last;
    }
  }

  /**
   * `ends`: when it is deleted, seconds since 1970, at least a day ahead; null calls it off. It is given to nobody from now on, and the user cannot call
   * that off. Errors: `not-found`, `conflict`.
   */
  end(user: string, key: string, ends: number | null): Promise<void> {
    return callEmpty(this.#rest, endUserKey, { user, key }, { ends }, { tries: 3 });
  }
}
