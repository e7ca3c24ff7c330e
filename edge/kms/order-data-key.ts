/** A version of an account's data key (W10, W11), ordered by the IAM: made by the HSM or by the instance, signed, and kept in the HSM. */

import { encodeBase64url } from "#protocol/base64url.ts";
import { seconds } from "#protocol/clock.ts";
import { type AccountEdk, isPairWrapping, isWrappedLength } from "#protocol/keys/index.ts";
import { authorize } from "../authorize.ts";
import type { HttpFacts } from "../caller.ts";
import type { InstanceFacts } from "../enrolled.ts";
import { UnexpectedAnswer } from "../hsm/index.ts";
import { keepWrapped, lookAfter, sweep, underLayer, underPair, underParent } from "../hsm/keys/index.ts";
import type { Made } from "../iam/instance-keys.ts";
import type { AccountKey } from "../iam/types.ts";
import type { Person } from "../person.ts";
import { type Decision, ok, type Result, refuse } from "../result.ts";
import {
  accountKeyOf,
  beginVersion,
  endVersion,
  hsmNameOf,
  isKept,
  keepVersion,
  nextVersion,
  versionsOf,
} from "./account-data-keys.ts";
import { type Context, failedUnderMaster } from "./context.ts";
import { makeDataKeys, wrappingUnder } from "./data-keys.ts";
import { checkMade, checkVouched } from "./made-data-key.ts";
import { requireMasterKey, StrictTenant } from "./master-key.ts";
import { checkPolicies, factsOfCaller } from "./policies.ts";
import type { DataKeyQuota } from "./quota.ts";
import { insertDataKeys } from "./registry.ts";
import { checkLives } from "./shred.ts";
import { signEdks } from "./signing.ts";

export type DataKeyOrder = {
  account: string;
  /** For whom, and for which app. */
  owner: string;
  client: string;
  /** Distinguished Name of the custodian, and the app's origin: for policies. */
  custodian: string;
  origin: string;
  http?: HttpFacts;
  person?: Person;
  /** Where a custodian orders it there is none, and policies that ask for one do not allow it. */
  instance?: InstanceFacts;
  accountKey: AccountKey;
  purpose: AccountEdk["purpose"];
  /** Another version, where there is one already. */
  renew: boolean;
  made?: Made;
  requestId: string;
};

/** `edk`: of a version that is new. */
export type OrderedDataKey = {
  keyId: string;
  keyVersion: number;
  accountKey: AccountEdk["accountKey"];
  edk?: string;
};

const POLICY = { operations: ["encrypt", "decrypt"] } satisfies AccountEdk["policy"];

/** One at a time for an account: a version that was cut off is gone on with. */
export async function orderDataKey(
  kms: Context,
  quota: DataKeyQuota,
  order: DataKeyOrder,
): Promise<Result<OrderedDataKey>> {
  const { store } = kms;
  const { account, client, requestId } = order;
  const about = { caller: null, user: order.owner, resource: `account/${account}`, requestId };
  const vouched = await checkVouched(kms, order);
  if (!vouched.ok) return authorize<never>(store, { action: "kms:data-key", ...about }, () => vouched);
  const since = seconds(Date.now());
  const decision = authorize<OrderedDataKey | null>(store, { action: "kms:data-key", ...about }, (sql) => {
    const lives = checkLives(sql);
    if (!lives.ok) return lives;
    if (vouched.value !== null && isKept(sql, vouched.value))
      return refuse("conflict", "this key was taken before");
    const [current] = order.renew ? [] : versionsOf(sql, client, 1);
    const accountKey = current && accountKeyOf(current);
    if (accountKey) return ok({ keyId: current.id, keyVersion: current.version, accountKey });
    const fits = order.made === undefined ? ok(null) : checkForm(sql, order, order.made);
    if (!fits.ok) return fits;
    const facts = factsOfCaller(
      {
        custodian: order.custodian,
        user: order.owner,
        origin: order.origin,
        ...(order.http && { http: order.http }),
      },
      {
        ...{ action: "create", resource: `accounts/${account}/keys/new`, account, purpose: order.purpose },
        ...{ instance: order.instance, person: order.person },
      },
    );
    const allowed = checkPolicies(kms.policies(), facts);
    if (!allowed.ok) return allowed;
    const reserved = quota.reserve(sql, account, 1, since);
    return reserved.ok ? ok(null) : reserved;
  });
  if (!decision.ok) return decision;
  if (decision.value !== null) return ok(decision.value);
  try {
    const made = await makeVersion(kms, order, vouched.value);
    if (made !== null) return ok(made);
    const ended = () => refuse("forbidden", "the account was shredded while the HSM worked");
    return authorize<never>(store, { action: "kms:release-data-keys", ...about }, ended);
  } catch (error) {
    return await failedUnderMaster(kms, "kms:make-data-key", about, error);
  } finally {
    quota.done(account, 1, since);
  }
}

/** Whether it can be that, as far as can be told without opening it. */
function checkForm(sql: SqlStorage, order: DataKeyOrder, { wrappedKey, layer }: Made): Decision<null> {
  const wrapping = wrappingUnder(order.accountKey, wrappedKey);
  if (!isWrappedLength({ wrapping, layer }, wrappedKey.length))
    return refuse("hsm-refused", "not the length of a wrapped key");
  if (layer === undefined) return ok(null);
  if (layer.masterKey !== order.accountKey.master)
    return refuse("conflict", "the layer is of another master key");
  return layer.keyVersion === nextVersion(sql, order.client)
    ? ok(null)
    : refuse("conflict", "the layer is for another version");
}

/** Null where the account was shredded meanwhile. */
async function makeVersion(
  kms: Context,
  order: DataKeyOrder,
  madeDigest: string | null,
): Promise<OrderedDataKey | null> {
  const { store, hsm, ledger, trust } = kms;
  const { accountKey, account, client, owner, purpose, made } = order;
  const now = Date.now();
  const { recovery } = await requireMasterKey(hsm, store.tenant, made !== undefined);
  if (made === undefined && recovery !== null) throw new StrictTenant("strict-tenant");
  const row = store.transaction(() => beginVersion(store.sql, client));
  const wrapped = made?.wrappedKey ?? (await makeDataKeys(hsm, ledger, accountKey, 1, now))[0];
  if (wrapped === undefined) throw new UnexpectedAnswer("the HSM made no key");
  const { layer } = made ?? {};
  if (layer !== undefined && layer.keyVersion !== row.version)
    throw new UnexpectedAnswer("another version was made meanwhile");
  const wrapping = wrappingUnder(accountKey, wrapped);
  const isPair = isPairWrapping(wrapping);
  // A pair, what is under a second layer, or under a master key that the HSM has not, is for instances alone to open.
  if (made !== undefined && !isPair && layer === undefined && recovery === null)
    await checkMade(kms, accountKey, wrapped, now);
  const { id, version } = accountKey;
  const edk: AccountEdk = {
    version: 1,
    keyId: row.id,
    keyVersion: row.version,
    algorithm: "AES-256-GCM-HKDF-SHA512-COMMIT-KEY",
    tenant: store.tenant,
    account,
    owner,
    created: seconds(now),
    purpose,
    accountKey: { id, version },
    wrapping,
    wrappedKey: encodeBase64url(wrapped),
    ...(layer && { layer: { masterKey: layer.masterKey } }),
    policy: POLICY,
  };
  const [token] = await signEdks(hsm, await trust.list(), [edk]);
  if (token === undefined) throw new Error("nothing was signed");
  // What a time that was cut off had left there.
  await sweep(hsm, [hsmNameOf(row)]);
  const under = accountKey.publicKey !== null ? underPair : isPair ? underLayer : underParent;
  const by = layer ? underLayer(layer.masterKey) : under(id);
  const kept = { id: row.hsm, name: hsmNameOf(row), wrapped, by };
  const [imported] = await hsm.batch([keepWrapped(kept), lookAfter(row.hsm)], {
    batchErrorContinuationOption: "Stop",
    batchOrderOption: true,
  });
  if (imported?.resultStatus !== "Success") throw new UnexpectedAnswer("the HSM does not keep the key");
  return store.transaction(() => {
    if (!checkLives(store.sql).ok || !keepVersion(store.sql, row, { edk, token, made: madeDigest })) {
      endVersion(store.sql, row);
      return null;
    }
    insertDataKeys(store.sql, client, [edk]);
    return { keyId: row.id, keyVersion: row.version, accountKey: edk.accountKey, edk: token };
  });
}
