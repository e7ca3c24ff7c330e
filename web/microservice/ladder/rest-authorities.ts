/** KMS and IAM over REST, asked by the instance itself with its own token. */

import {
  findKeyIdentifier,
  keepAccountKey,
  listDataKeys,
  loadAccountKey,
  loadMasterKey,
  readAccountKey,
  readDataKey,
  renewDataKey,
} from "#protocol/contract/index.ts";
import { codeOf } from "#protocol/error.ts";
import { delay as byTheClock, type Delay } from "#protocol/patience.ts";
import { type Asked, type Rest, restOf } from "../rest.ts";
import type { Authorities } from "./authorities.ts";
import { InstanceToken, type TokenOptions } from "./token.ts";

/** Bytes of an account's list. */
const MAX_LIST = 1024 * 1024;

export type RestAuthorities = Omit<TokenOptions, "rest"> & {
  fetch: typeof globalThis.fetch;
  delay?: Delay;
};

/** Errors: the problem's code, `offline`, `answer-invalid`. */
export function restAuthorities({ fetch, delay = byTheClock, ...options }: RestAuthorities): Authorities {
  const rest = restOf(fetch, options.vault, delay);
  const token = new InstanceToken({ ...options, rest });
  const headers = (request: { method: string; url: string }) => token.headers(request);
  /** A token may have been ended before its time: then once more with another one. */
  const ask: Rest = async (route, asked: Asked = {}) => {
    try {
      return await rest(route, { ...asked, headers });
    } catch (error) {
      if (codeOf(error) !== "invalid-token") throw error;
      token.drop();
      return rest(route, { ...asked, headers });
    }
  };
  return {
    authorize: () => token.ready(),
    masterKey: (challenge, id, appKey) =>
      ask(loadMasterKey, { body: { challenge, ...(id && { id }), appKey } }),
    releasedAccountKey: (account, challenge, id) =>
      ask(loadAccountKey, { body: { account, challenge, ...(id === undefined ? {} : { id }) } }),
    keyIdentifier: (account, key) =>
      ask(findKeyIdentifier, {
        body: { account, purpose: "document", ...(key === undefined ? {} : { key }) },
      }),
    accountKey: (account, id) =>
      ask(readAccountKey, { parameters: { account }, query: id === undefined ? {} : { id } }),
    // A second time would find another key there.
    keepAccountKey: (account, body) =>
      ask(keepAccountKey, { parameters: { account }, body, repeatable: false }),
    async dataKey(account, key) {
      const { edk } = await ask(readDataKey, { parameters: { account, key } });
      return edk;
    },
    async renewDataKey(account, made) {
      // A second time would be a version more.
      const asked = {
        parameters: { account },
        body: { purpose: "document", made: { ...made, ...(await token.vouch(account, made)) } },
        repeatable: false,
      } as const;
      const { edk } = await ask(renewDataKey, asked);
      return edk;
    },
    async dataKeys(account) {
      const { edks } = await ask(listDataKeys, { parameters: { account }, limit: MAX_LIST });
      return edks;
    },
  };
}
