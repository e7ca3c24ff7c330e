/** New data keys for an account (M6), as EDKs: quota, the keys from the HSM, their metadata, signed and registered. */

import { encodeBase64url } from "#protocol/base64url.ts";
import { seconds } from "#protocol/clock.ts";
import { type AccountEdk, isSignature } from "#protocol/keys/index.ts";
import { authorize } from "../authorize.ts";
import type { Caller } from "../caller.ts";
import { UnexpectedAnswer } from "../hsm/index.ts";
import type { AccountKey } from "../iam/types.ts";
import { type Decision, ok, type Result, refuse as refusal } from "../result.ts";
import type { Version } from "./account-data-keys.ts";
import { requireHsm } from "./back-ends/back-end.ts";
import { type About, type Asking, type Context, type Door, failedUnderMaster, noMember } from "./context.ts";
import { makeSigningPairs, wrappingUnder } from "./data-keys.ts";
import { type DataKeysOrder, type Order, orderOf } from "./order.ts";
import { checkPolicies, factsOfCaller } from "./policies.ts";
import type { DataKeyQuota } from "./quota.ts";
import { insertDataKeys } from "./registry.ts";
import { asResident, keepResident } from "./resident-keys.ts";
import { giveRetainedUp, keepRetained, retainAtHsm, underAccountKey } from "./retained-keys.ts";
import { checkLives } from "./shred.ts";
import { signEdks } from "./signing.ts";

export async function issueDataKeys(
  { neighbours, enter, refuse }: Door,
  quota: DataKeyQuota,
  caller: Caller,
  request: DataKeysOrder & { account: string },
): Promise<Result<{ edks: string[] }>> {
  const { account, count } = request;
  const { tenant, requestId } = caller;
  const about = { caller, resource: `account/${account}`, requestId };
  const action = "kms:data-keys";
  const accountKey = await neighbours.IAM.accountKey({ tenant, account, caller });
  if (!accountKey.ok) return refuse({ action, ...about }, noMember(accountKey.problem));
  const kms = await enter();
  const since = seconds(Date.now());
  const decision = authorize(kms.store, { action, ...about }, (sql) => {
    const resource = `accounts/${account}/keys/new`;
    const { purpose } = request;
    const { by: person } = accountKey.value;
    if (person.as === "reader") return refusal("forbidden", "a reader has no keys made");
    const facts = factsOfCaller(caller, { action: "create", resource, account, purpose, person });
    const allowed = checkPolicies(kms.policies(), facts);
    if (!allowed.ok) return allowed;
    const lives = checkLives(sql);
    if (!lives.ok) return lives;
    const order = orderOf(request);
    if (!order.ok) return order;
    const reserved = quota.reserve(sql, account, count, since);
    return reserved.ok ? order : reserved;
  });
  if (!decision.ok) return decision;
  try {
    const retained = request.custody === "kms";
    if (retained) requireHsm(kms.backEnd);
    return await make(kms, { ...decision.value, account, retained }, accountKey.value, about);
  } catch (error) {
    return await failedUnderMaster(kms, "kms:make-data-keys", about, error);
  } finally {
    quota.done(account, count, since);
  }
}

/**
 * A version of a key that there is. `again` asks once more, after the HSM, and answers what becomes of the one before, with the record of this one; a refusal
 * ends both.
 */
export type Successor = {
  keyId: string;
  keyVersion: number;
  again(): Promise<Settle>;
};
type Settle = (sql: SqlStorage, person: Asking) => Decision<undefined>;

type Making = Order & { account: string; retained: boolean; successor?: Successor };

/** As EDKs that are registered. The caller of this has decided, and answers for what is thrown. */
export async function make(
  kms: Context,
  order: Making,
  accountKey: AccountKey,
  about: About,
): Promise<Result<{ edks: string[] }>> {
  if (isSignature(order.algorithm)) requireHsm(kms.backEnd);
  const { keyId, keyVersion: version = 1 } = order.successor ?? {};
  const keys = Array.from({ length: order.count }, () => ({ id: keyId ?? crypto.randomUUID(), version }));
  const held = !isSignature(order.algorithm) && (await kms.backEnd.holdsKeys());
  const run = () => makeThese(kms, { ...order, keys, held }, accountKey, about);
  if (!held) return run();
  const room = { keys, most: kms.mostResident };
  return asResident(kms.store, room, seconds(Date.now()), run, (refused) =>
    authorize<never>(kms.store, { action: "kms:make-data-keys", ...about }, () => refused),
  );
}

/** `held`: they live in the back end, and stand in `resident_keys`. */
async function makeThese(
  { store, hsm, ledger, backEnd, trust, neighbours, turns }: Context,
  {
    account,
    count,
    purpose,
    algorithm,
    policy,
    retained,
    successor,
    keys,
    held,
  }: Making & { keys: readonly Version[]; held: boolean },
  accountKey: AccountKey,
  about: About,
): Promise<Result<{ edks: string[] }>> {
  const { caller } = about;
  const { tenant } = caller;
  const now = Date.now();
  // A second of the HSM's time each.
  const turn = algorithm === "PS256" ? await turns().pairTurns(caller.user, count) : ok(null);
  if (!turn.ok) return authorize<never>(store, { action: "kms:make-data-keys", ...about }, () => turn);
  const pairs = isSignature(algorithm)
    ? await makeSigningPairs(hsm, ledger, accountKey, { kind: algorithm, count, now })
    : undefined;
  const wrapped =
    pairs?.map((pair) => ({ wrapping: wrappingUnder(accountKey), wrappedKey: pair.wrapped })) ??
    (await backEnd.makeDataKeys({ account, accountKey, keys, held }));
  if (wrapped.length !== keys.length || wrapped.some(({ wrapping }) => (wrapping === "resident") !== held))
    throw new UnexpectedAnswer("the back end did not make the keys that were asked for");
  // What is under no key of the account is a reference as it is.
  const kept = retained && !held;
  const { id, version } = accountKey;
  const edks = wrapped.map(({ wrapping, wrappedKey: key }, n): AccountEdk => {
    const pair = pairs?.[n];
    return {
      version: 1,
      keyId: keys[n]?.id ?? "",
      keyVersion: keys[n]?.version ?? 0,
      algorithm,
      tenant,
      account,
      owner: caller.user,
      created: seconds(now),
      purpose,
      accountKey: { id, version },
      ...(kept ? { wrapping: "retained", wrappedKey: "" } : { wrapping, wrappedKey: encodeBase64url(key) }),
      policy,
      ...(pair && {
        signing: {
          publicKey: encodeBase64url(pair.publicKey),
          privateKey: encodeBase64url(pair.privateKey),
        },
      }),
    };
  });
  const signed = await signEdks(hsm, await trust.list(), edks);
  if (kept) {
    const made = edks.map((edk, n) => ({
      edk,
      token: signed[n] ?? "",
      wrapped: wrapped[n]?.wrappedKey ?? new Uint8Array(),
    }));
    await retainAtHsm({ store, hsm }, caller.client, underAccountKey(accountKey), made, seconds(now));
  }
  // While the HSM worked the user may have left or signed out, or the account been shredded. Then nobody gets these keys.
  const [member, settle] = await Promise.all([
    neighbours.IAM.member({ tenant, account, caller }),
    successor?.again(),
  ]);
  const refused = (why: Decision<never>) =>
    authorize<never>(store, { action: "kms:release-data-keys", ...about }, (sql) => {
      if (kept) giveRetainedUp(sql, keys);
      return why;
    });
  if (!member.ok) return refused(noMember(member.problem));
  // Before they leave: an EDK without a record would be refused for ever. The account may have been shredded since it was asked for.
  const lives = store.transaction(() => {
    const alive = checkLives(store.sql);
    const decision = alive.ok && settle ? settle(store.sql, member.value) : alive;
    if (decision.ok) {
      insertDataKeys(store.sql, caller.client, edks);
      if (kept) keepRetained(store.sql, edks);
      if (held) keepResident(store.sql, keys);
    }
    return decision;
  });
  if (!lives.ok) return refused(lives);
  return ok({ edks: signed });
}
