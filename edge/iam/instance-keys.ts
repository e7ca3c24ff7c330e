/**
 * What an instance asks the IAM itself (W2, W4, W10, W11): key identifiers and Enc(account), and what makes new ones. The account's
 * object decides by what it has; keys are ordered from the KMS.
 */

import { seconds } from "#protocol/clock.ts";
import type { KeyIdentifierRequest } from "#protocol/contract/index.ts";
import { digest } from "#protocol/digest.ts";
import type { DataKeys } from "#protocol/hierarchy/index.ts";
import { type EcPublicJwk, isPairLength } from "#protocol/keys/index.ts";
import { authorize } from "../authorize.ts";
import type { Caller, HttpFacts, InstanceCaller } from "../caller.ts";
import { checkInstance, type Enrolled, type InstanceFacts, instanceFacts, LADDER } from "../enrolled.ts";
import type { Identified, KeyIdentifier } from "../key-identifiers.ts";
import { takeTurn } from "../pace.ts";
import type { Person } from "../person.ts";
import { type Decision, fail, ok, type Result, refuse } from "../result.ts";
import type { Store } from "../store.ts";
import {
  accountKeyOf,
  currentAccountKey,
  isKeptAccountKey,
  type OrderedAccountKey,
  rotatedAccountKey,
} from "./account-keys.ts";
import { checkSettled } from "./deletion.ts";
import { checkMember, checkWriter } from "./members.ts";
import type { PlacedIdentifiers } from "./placed-identifiers.ts";
import type { AccountKey } from "./types.ts";

/** New keys of an account in a minute, by whomever: each costs the HSM work and stays. */
const RENEWALS_PER_MINUTE = 60;

/** What is asked, of which account, by whom; `found` as the registration authority has the instance. */
export type OfInstance = { account: string; caller: InstanceCaller; found: Result<Enrolled>; person: Person };

/** A key identifier, and what data keys are made as where the tenant wants pairs: its instances see to that (W1). */
export type ToldIdentifier = KeyIdentifier & { dataKeys?: "RSA-3072" };

/** What came of it; `waited`: the HSM had to be waited for, so that who asked is looked at again. */
export type Waited<T> = { value: T; waited: boolean };

export type DataKeyOrder = {
  tenant: string;
  account: string;
  owner: string;
  client: string;
  custodian: string;
  origin: string;
  http?: HttpFacts;
  person?: Person;
  /** Of an instance that orders it for itself. */
  instance?: InstanceFacts;
  accountKey: AccountKey;
  purpose: string;
  renew: boolean;
  made?: Made;
  requestId: string;
};

/**
 * A data key that an instance has made, wrapped under an account key, and where there is a `layer`, once more under the master key
 * (W14); with its word for it (protocol/keys `verifyMadeKey`) and the key that signed that.
 */
export type Made = {
  wrappedKey: Uint8Array<ArrayBuffer>;
  layer?: { masterKey: string; keyVersion: number };
  instance: string;
  key: EcPublicJwk;
  statement: string;
};

export type NewDataKey = KeyIdentifier & { edk?: string };

/** What the account's object gives: where it keeps things, and what it orders. */
export type Keeper = {
  store: Store;
  /** Seconds after which nobody seals under a version that another has replaced. */
  settling: number;
  /** What the tenant's data keys are. */
  dataKeys: DataKeys;
  /** Key identifiers, wherever they are. */
  identifiers: PlacedIdentifiers;
  /** The current key, ordered where there is none. */
  accountKey(of: { account: string; requestId: string }): Promise<Result<AccountKey>>;
  /** Another one, kept where it has its place (W15): what is for its row. */
  orderAccountKey(of: {
    account: string;
    requestId: string;
    /** By an instance, for the KMS to look at; by the HSM where there is none. */
    made?: Pick<OrderedAccountKey, "wrapped" | "master">;
  }): Promise<Result<OrderedAccountKey & { id: string }>>;
  /** With its bytes, from where it was put. */
  whole(key: AccountKey, requestId: string): Promise<Result<AccountKey>>;
  orderDataKey(order: DataKeyOrder): Promise<Result<NewDataKey>>;
  deleteDataKey(of: OfDataKey): Promise<Result<null>>;
  /** `ends`: seconds since 1970; null to keep it after all. Errors: `not-found` for one that is gone. */
  scheduleDataKey(of: OfDataKey & { ends: number | null }): Promise<Result<null>>;
};

export type OfDataKey = { tenant: string; account: string; client: string; key: string; requestId: string };

function decide<T>(
  store: Store,
  action: string,
  { account, caller, found }: OfInstance,
  check: (sql: SqlStorage) => Decision<T>,
  changes = false,
): Result<T> {
  const about = { action, caller, resource: `account/${account}`, requestId: caller.requestId };
  return authorize<T>(store, about, (sql) => {
    const standing = checkInstance(caller, found, LADDER);
    if (!standing.ok) return standing;
    const member = changes ? checkWriter(sql, caller.user) : checkMember(sql, caller.user);
    return member.ok ? check(sql) : member;
  });
}

/** The HSM took its time: once more, by what the registration authority says now. */
export function stillStands(store: Store, of: OfInstance): Result<null> {
  return decide(store, "iam:release-keys", of, () => ok(null));
}

/** KI of the current data key, which is made with the account's first question, or of the one that is named. */
export async function keyIdentifier(
  keeper: Keeper,
  of: OfInstance,
  { purpose, key }: KeyIdentifierRequest,
): Promise<Result<Waited<ToldIdentifier>>> {
  const { store, identifiers, dataKeys } = keeper;
  const { client } = of.caller;
  const told = dataKeys === "RSA-3072" && { dataKeys };
  const looked = await lookFor(keeper, of, { client, purpose, key });
  const known = decide<KeyIdentifier | null>(store, "iam:key-identifier", of, (sql) => {
    if (!looked.ok) return refuse(looked.problem.code, "the key identifiers cannot be had");
    const { found, ends } = looked.value;
    if (ends !== null && found !== null)
      return refuse("pending-deletion", "the data key is scheduled for deletion");
    if (found !== null || key === undefined) {
      const writer = found === null ? checkWriter(sql, of.caller.user) : ok(null);
      return writer.ok ? ok(found) : writer;
    }
    return refuse("not-found", "no such data key");
  });
  if (!known.ok) return known;
  if (known.value !== null) return ok({ value: { ...known.value, ...told }, waited: identifiers.elsewhere });
  const made = await newDataKey(keeper, of, { purpose, renew: false });
  if (!made.ok) return made;
  const { keyId, keyVersion, accountKey } = made.value;
  return ok({ value: { keyId, keyVersion, accountKey, ...told }, waited: true });
}

/** Enc(account): the current key, which is made at the first request, or that of this id. */
export async function encryptedAccountKey(
  keeper: Keeper,
  of: OfInstance,
  id?: string,
): Promise<Result<Waited<AccountKey>>> {
  const known = decide<AccountKey | null>(keeper.store, "iam:read-account-key", of, (sql) => {
    const found = id === undefined ? currentAccountKey(sql) : accountKeyOf(sql, id);
    return found === null && id !== undefined ? refuse("not-found", "no such account key") : ok(found);
  });
  if (!known.ok) return known;
  const { account, caller } = of;
  const { requestId } = caller;
  if (known.value !== null) {
    const whole = await keeper.whole(known.value, requestId);
    return whole.ok ? ok({ value: whole.value, waited: known.value.wrapped.length === 0 }) : whole;
  }
  const made = await keeper.accountKey({ account, requestId });
  return made.ok ? ok({ value: made.value, waited: true }) : made;
}

/** W11: another key; those before it stay for what they wrap. */
export async function rotateAccountKey(keeper: Keeper, of: OfInstance): Promise<Result<Waited<AccountKey>>> {
  const { store } = keeper;
  const { account, caller } = of;
  const decision = decide(store, "iam:rotate-account-key", of, (sql) => takeRenewal(sql, account), true);
  if (!decision.ok) return decision;
  const ordered = await keeper.orderAccountKey({ account, requestId: caller.requestId });
  if (!ordered.ok) return ordered;
  const key = rotatedAccountKey(store.sql, ordered.value);
  return key === null ? fail("forbidden") : ok({ value: key, waited: true });
}

/** An account key that an instance has made, under which master key, and the id of the key that it is to replace. */
export type MadeAccountKey = Pick<OrderedAccountKey, "wrapped" | "master"> & { replaces?: string };

/**
 * W11: an account's first key, or another one, made by an instance that has the master key. Errors: `conflict` where the account has
 * another key than it knows, by now or since.
 */
export async function keepMadeAccountKey(
  keeper: Keeper,
  of: OfInstance,
  { replaces, wrapped, master }: MadeAccountKey,
): Promise<Result<Waited<AccountKey>>> {
  const { store } = keeper;
  const { account, caller } = of;
  const sent = await digest(wrapped);
  const check = (sql: SqlStorage): Decision<null> => {
    if (of.found.ok && of.found.value.level !== "master")
      return refuse("forbidden", "an instance without the master key");
    return currentAccountKey(sql)?.id === replaces
      ? ok(null)
      : refuse("conflict", "the account has another key");
  };
  const begun = (sql: SqlStorage): Decision<null> => {
    const current = check(sql);
    if (!current.ok) return current;
    // AES Key Wrap of the same key is the same bytes: a key that was there before replaces none.
    return isKeptAccountKey(sql, { wrapped, digest: sent })
      ? refuse("conflict", "this key was taken before")
      : takeRenewal(sql, account);
  };
  const decision = decide(store, "iam:keep-account-key", of, begun, true);
  if (!decision.ok) return decision;
  const { requestId } = caller;
  const ordered = await keeper.orderAccountKey({ account, requestId, made: { wrapped, master } });
  if (!ordered.ok) return ordered;
  // While the KMS looked another instance may have been first.
  const again = decide(store, "iam:keep-account-key", of, check, true);
  if (!again.ok) return again;
  const key = rotatedAccountKey(store.sql, ordered.value);
  return key === null ? fail("forbidden") : ok({ value: key, waited: true });
}

/** W10: the next version of the data key; `made` by the instance under the current account key, or by the HSM. */
export async function renewDataKey(
  keeper: Keeper,
  of: OfInstance,
  request: { purpose: string; made?: Omit<Made, "instance"> & { accountKey: string } },
): Promise<Result<Waited<{ edk: string }>>> {
  const { purpose, made } = request;
  const isPair = made !== undefined && isPairLength(made.wrappedKey.length);
  const decision = decide(
    keeper.store,
    "iam:renew-data-key",
    of,
    (sql) => {
      if (made !== undefined && currentAccountKey(sql)?.id !== made.accountKey)
        return refuse("conflict", "the account has another key");
      if (isPair && keeper.dataKeys === "AES-256")
        return refuse("conflict", "the tenant's data keys are no pairs");
      return takeRenewal(sql, of.account);
    },
    true,
  );
  if (!decision.ok) return decision;
  const key = await newDataKey(keeper, of, {
    purpose,
    renew: true,
    ...(made && { made: { ...made, instance: of.caller.instance } }),
  });
  if (!key.ok) return key;
  const { edk } = key.value;
  return edk === undefined ? fail("internal") : ok({ value: { edk }, waited: true });
}

/** For good. Errors: `conflict` for the current one, which another version replaces first, `key-in-use` for one that was current a moment ago. */
export async function deleteDataKey(keeper: Keeper, of: OfInstance, key: string): Promise<Result<null>> {
  const { store, identifiers } = keeper;
  const { account, caller } = of;
  const { client, requestId } = caller;
  const looked = await lookFor(keeper, of, { client, purpose: "document", key });
  const decision = decide(
    store,
    "iam:delete-data-key",
    of,
    () => {
      if (!looked.ok) return refuse(looked.problem.code, "the key identifiers cannot be had");
      const { found, replaced } = looked.value;
      if (found === null) return refuse("not-found", "no such data key");
      return checkSettled(replaced, { now: seconds(Date.now()), settling: keeper.settling });
    },
    true,
  );
  if (!decision.ok) return decision;
  // Until the KMS has it deleted it is known here, so that it can be asked for again.
  const deleted = await keeper.deleteDataKey({ tenant: store.tenant, account, client, key, requestId });
  if (!deleted.ok) return deleted;
  const forgotten = await identifiers.forget({ client, key }, requestId);
  return forgotten.ok ? deleted : forgotten;
}

/** For members alone another is asked; what is refused is decided afterwards, and recorded. */
async function lookFor(
  { store, identifiers }: Keeper,
  { caller }: OfInstance,
  wanted: { client: string; purpose: string; key?: string | undefined },
): Promise<Result<Identified>> {
  const member = checkMember(store.sql, caller.user);
  return member.ok ? identifiers.look(wanted, caller.requestId) : { ok: false, problem: member.problem };
}

/** Ordered by an instance, or where there is none `found`, by a custodian for the account's members. */
export async function newDataKey(
  keeper: Keeper,
  {
    account,
    caller,
    found,
    person,
  }: Pick<OfInstance, "account"> & {
    caller: Omit<Caller, "tenant" | "jkt">;
    found?: Result<Enrolled>;
    person?: Person;
  },
  order: Pick<DataKeyOrder, "purpose" | "renew" | "made">,
): Promise<Result<NewDataKey>> {
  const { store } = keeper;
  const { client, user: owner, custodian, origin, http, requestId } = caller;
  if (found && !found.ok) return found;
  const accountKey = await keeper.accountKey({ account, requestId });
  if (!accountKey.ok) return accountKey;
  const by = {
    owner,
    client,
    custodian,
    origin,
    requestId,
    ...(person && { person }),
    ...(found && { instance: instanceFacts(found.value) }),
    ...(http && { http }),
  };
  const of = { tenant: store.tenant, account, accountKey: accountKey.value, ...by };
  const made = await keeper.orderDataKey({ ...of, ...order });
  if (!made.ok) return made;
  const { keyId, keyVersion, accountKey: under } = made.value;
  const identifier = { keyId, keyVersion, accountKey: under };
  const now = seconds(Date.now());
  const kept = await keeper.identifiers.keep({ client, purpose: order.purpose, identifier, now }, requestId);
  return kept.ok ? made : kept;
}

export function takeRenewal(sql: SqlStorage, account: string): Decision<null> {
  return takeTurn(sql, { what: "iam:new-keys", user: account }, RENEWALS_PER_MINUTE, seconds(Date.now()));
}
