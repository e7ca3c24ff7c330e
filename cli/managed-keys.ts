/** Data keys of an account, or of the tenant itself, as the KMS manages them (M17): those of level `data`, of which the custodian keeps the EDK. */

import {
  changeKey,
  changeOwnKey,
  changeUserKey,
  type DescribedKey,
  type DescribedUserKey,
  describeKey,
  describeOwnKey,
  describeUserKey,
  type KeyChange,
  type ListKeysQuery,
  listKeys,
  listOwnKeys,
  listUserKeys,
  makeDataKeys,
  rotateKey,
} from "#protocol/contract/index.ts";
import {
  DOCUMENT_ALGORITHM,
  isSignature,
  type KeyAlgorithm,
  type SecretAlgorithm,
} from "#protocol/keys/algorithm.ts";
import { fits, open, text, whole } from "#protocol/shape.ts";
import { callJson } from "#web/client/call.ts";
import { saidBy } from "#web/client/document-key.ts";
import type { Microservice } from "#web/client/microservice.ts";
import type { RestClient } from "#web/client/rest.ts";
import { CommandError } from "./command-error.ts";

export type Purpose = "document" | "data" | "signature";
export type KeyOrder = { purpose?: Purpose | undefined; algorithm?: KeyAlgorithm | undefined; count: number };
type Filter = Omit<ListKeysQuery, "limit">;
/** Whose keys: of an account, or of the tenant itself, as the caller has ordered them in this app; by an admin, as a user has in any. */
export type KeysOf = { account: string } | { own: true } | { user: string };
type Known<O extends KeysOf> = O extends { user: string } ? DescribedUserKey : DescribedKey;
/** What an EDK says of its name, of an account or of the tenant itself. */
const version = open({ keyId: text(1, 128), keyVersion: whole(1) });
/** The name of a version, and what its custodian keeps. */
export type NamedEdk = { key: string; edk: string };

/** Versions are `<id>.<version>`. Errors of the routes: `CofferError`. */
export class ManagedKeys {
  readonly #rest: Pick<RestClient, "json">;
  readonly #microservice: Pick<Microservice, "use">;

  constructor(rest: Pick<RestClient, "json">, microservice: Pick<Microservice, "use">) {
    this.#rest = rest;
    this.#microservice = microservice;
  }

  /** Of an account, or of the tenant itself. Nothing is made again after a lost answer: a key that nobody was given an EDK of opens nothing. */
  async create(account: string | undefined, { count, ...of }: KeyOrder): Promise<NamedEdk[]> {
    const whose = account === undefined ? {} : { account };
    const { edks } = await callJson(this.#rest, makeDataKeys, {}, { ...whose, count, ...kindOf(of) });
    return edks.map(named);
  }

  /** `limit`: a page of so many; all of them where it is not said. */
  async list<O extends KeysOf>(
    of: O,
    filter: Filter,
    limit?: number,
  ): Promise<{ keys: Known<O>[]; more: boolean }> {
    const keys: Known<O>[] = [];
    for (let { after } = filter; ; ) {
      const query = { ...filter, ...(after !== undefined && { after }), limit: String(limit ?? 100) };
      const page = (await this.#page(of, query)) as { keys: Known<O>[]; more: boolean };
      keys.push(...page.keys);
      const last = page.keys.at(-1)?.key;
      if (!page.more || limit !== undefined || last === undefined || last === after)
        return { keys, more: page.more };
      after = last;
    }
  }

  #page(of: KeysOf, query: ListKeysQuery) {
    if ("account" in of) return callJson(this.#rest, listKeys, { ...of, ...query }, undefined);
    if ("user" in of) return callJson(this.#rest, listUserKeys, { ...of, ...query }, undefined);
    return callJson(this.#rest, listOwnKeys, query, undefined);
  }

  describe(of: KeysOf, key: string): Promise<DescribedKey | DescribedUserKey> {
    if ("account" in of) return callJson(this.#rest, describeKey, { ...of, key }, undefined);
    if ("user" in of) return callJson(this.#rest, describeUserKey, { ...of, key }, undefined);
    return callJson(this.#rest, describeOwnKey, { key }, undefined);
  }

  change(of: KeysOf, key: string, change: KeyChange): Promise<DescribedKey | DescribedUserKey> {
    const again = { tries: 3 };
    if ("account" in of) return callJson(this.#rest, changeKey, { ...of, key }, change, again);
    if ("user" in of) return callJson(this.#rest, changeUserKey, { ...of, key }, change, again);
    return callJson(this.#rest, changeOwnKey, { key }, change, again);
  }

  /** The next version of the key that the EDK has, for whom policy lets do it with this instance. */
  async rotate(edk: string): Promise<NamedEdk> {
    const { instance } = await this.#microservice.use();
    const request = { edk, certificate: instance.wrappingCertificate };
    return named((await callJson(this.#rest, rotateKey, {}, request)).edk);
  }
}

/** What the order says of purpose and algorithm, each of which tells the other. Errors: `CommandError` where they do not fit. */
function kindOf({ purpose, algorithm }: Omit<KeyOrder, "count">) {
  if (algorithm !== undefined && isSignature(algorithm)) {
    if (purpose === undefined || purpose === "signature") return { purpose: "signature", algorithm } as const;
    throw new CommandError(`${algorithm} signs: its purpose is signature.`, 2);
  }
  if (purpose === "signature")
    throw new CommandError("--purpose signature takes an --algorithm that signs.", 2);
  const secret: SecretAlgorithm = algorithm ?? DOCUMENT_ALGORITHM;
  if (purpose === "data" || (purpose === undefined && algorithm !== undefined))
    return { purpose: "data", algorithm: secret } as const;
  if (secret !== DOCUMENT_ALGORITHM) throw new CommandError(`Documents are not sealed by ${secret}.`, 2);
  return { purpose: "document" } as const;
}

function named(edk: string): NamedEdk {
  const said = saidBy(edk);
  if (!fits(version, said)) throw new CommandError("What came in the place of an EDK is none.");
  return { key: `${said.keyId}.${said.keyVersion}`, edk };
}
