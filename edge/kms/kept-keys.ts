/**
 * What the KMS keeps in memory of Enc(data) and Enc(master) (W8), for who wants to see where the keys are: names and times. No key is given
 * or fetched for it.
 */

import type { KeptKey } from "#protocol/contract/index.ts";
import { instancesMasterKeyName } from "#protocol/hierarchy/index.ts";
import { authorize } from "../authorize.ts";
import type { Caller } from "../caller.ts";
import { ok, type Result, refuse } from "../result.ts";
import { findVersion } from "./account-data-keys.ts";
import type { KeyCache } from "./cache/index.ts";
import { type Door, noMember } from "./context.ts";
import type { EncryptedMaster } from "./master-release.ts";

/** The account's data keys, of the caller's app. */
export async function keptDataKeys(
  door: Door,
  cache: KeyCache<string>,
  caller: Caller,
  account: string,
): Promise<Result<KeptKey[]>> {
  const { tenant, requestId } = caller;
  const about = { action: "kms:kept-keys", caller, resource: `account/${account}`, requestId };
  const member = await door.neighbours.IAM.member({ tenant, account, caller });
  if (!member.ok) return door.refuse(about, noMember(member.problem));
  const { store } = await door.enter();
  return authorize(store, about, (sql) => {
    const own = cache.left().filter(({ name }) => findVersion(sql, caller.client, versionOf(name)) !== null);
    return ok(own.map(({ name, left }) => ({ what: "data key", key: name, left })));
  });
}

/** Enc(master) for one of the caller's instances, of the caller's app. Error: `not-recipient`. */
export async function keptMaster(
  { neighbours, enter, refuse: refused }: Door,
  cache: KeyCache<EncryptedMaster>,
  caller: Caller,
  instance: string,
): Promise<Result<KeptKey[]>> {
  const { tenant, user, requestId } = caller;
  const resource = instancesMasterKeyName(instance);
  const about = { action: "kms:kept-keys", caller, resource, requestId };
  const found = await neighbours.RA.instance({ tenant, user, instance });
  if (!found.ok) return refused(about, refuse("not-recipient", "no such instance of the caller"));
  const { store } = await enter();
  return authorize(store, about, () => {
    if (found.value.client !== caller.client) return refuse("not-recipient", "an instance of another app");
    const key = cache.peek(instance)?.keyId;
    const kept = cache.left().filter(({ name }) => name === instance);
    return ok(key === undefined ? [] : kept.map(({ left }) => ({ what: "master key", key, left })));
  });
}

function versionOf(name: string) {
  const [id = "", version] = name.split(".");
  return { id, version: Number(version) };
}
