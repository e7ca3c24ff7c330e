/**
 * Rotation of one data key (M17), of an account or of the tenant itself: the HSM makes its next version, of the same kind, purpose and policy, and the KMS
 * retains that where it retains the one before. The version before opens and verifies from then on, and seals, signs and authenticates nothing that is
 * loaded anew.
 */

import { seconds } from "#protocol/clock.ts";
import { isRetained, operationsOf } from "#protocol/keys/index.ts";
import { evaluate, type KeyPolicy, narrow } from "#protocol/policy/index.ts";
import { authorize } from "../authorize.ts";
import type { Caller } from "../caller.ts";
import type { Recipient } from "../ra/types.ts";
import { type Decision, ok, type Result, refuse } from "../result.ts";
import {
  type About,
  type Asking,
  type Context,
  type Door,
  failedUnderMaster,
  type InTurn,
  type Neighbours,
  noMember,
  resourceOf,
} from "./context.ts";
import { make, type Successor } from "./issue.ts";
import { makeOwn } from "./issue-own.ts";
import { checkKey, checkRecipient, digestOf, type Item, READING } from "./loading/index.ts";
import type { Order } from "./order.ts";
import { checkPolicies, factsOfCaller } from "./policies.ts";
import type { DataKeyQuota } from "./quota.ts";
import { findDataKey, NO_ACCOUNT } from "./registry.ts";
import { checkLives } from "./shred.ts";

/** A version that nobody has been given for so long may be made again: its EDK was in an answer that was lost. Seconds. */
const LOST = 60;

/**
 * `item`: the EDK of the newest version, verified, of the account or the principal whose object this is; or of the one before, where the newest was given to
 * nobody since it was made. `certificate`: of the instance that the caller has, whose tier policies may ask for. `inTurn` runs one after the
 * other. Errors: `forbidden`, `not-recipient`, `foreign-custodian`, `invalid-certificate`, `conflict`, `too-many-requests`, `hsm-refused`.
 */
export async function rotateKey(
  door: Door,
  quota: DataKeyQuota,
  caller: Caller,
  { item: { edk }, certificate }: { item: Item; certificate?: string | undefined },
  inTurn: InTurn,
): Promise<Result<{ edk: string }>> {
  const { neighbours, enter, refuse: turnAway } = door;
  const { keyId, keyVersion, purpose, algorithm, account } = edk;
  const { tenant, requestId } = caller;
  const about = { caller, resource: `key/${keyId}.${keyVersion}`, requestId };
  const action = "kms:rotate-key";
  const thumbprint = certificate === undefined ? undefined : await digestOf(certificate);
  const askInstance = async () =>
    thumbprint ? neighbours.RA.recipient({ tenant, user: caller.user, thumbprint }) : undefined;
  const [maker, found] = await Promise.all([askMaker(neighbours, caller, account), askInstance()]);
  if (!maker.ok) return turnAway({ action, ...about }, noMember(maker.problem));
  const kms = await enter();
  if (thumbprint === null)
    return turnAway({ action, ...about }, refuse("invalid-certificate", "certificate is not base64url"));
  if (found && !found.ok && found.problem.code !== "not-recipient") return found;
  const asked = { caller, edk, policies: kms.policies };
  const of = account ?? NO_ACCOUNT;
  return inTurn(async () => {
    const since = seconds(Date.now());
    const decision = authorize<Next>(kms.store, { action, ...about }, (sql) => {
      const next = decideNext(sql, { ...asked, named: namedBy(found) }, maker.value.person);
      if (!next.ok) return next;
      const reserved = quota.reserve(sql, of, 1, since);
      return reserved.ok ? next : reserved;
    });
    if (!decision.ok) return decision;
    const { version, policy } = decision.value;
    const successor: Successor = {
      ...{ keyId, keyVersion: version },
      // While the HSM worked any of it may have changed.
      async again() {
        const now = await askInstance();
        return (sql, person) => settle(sql, person, now);
      },
    };
    const settle = (sql: SqlStorage, person: Asking, now: Found): Decision<undefined> => {
      if (now && !now.ok && now.problem.code !== "not-recipient")
        return refuse(now.problem.code, "the registration authority does not know the instance");
      const next = decideNext(sql, { ...asked, named: namedBy(now), making: version }, person);
      if (!next.ok) return next;
      if (next.value.version !== version) return refuse("conflict", "key has a later version");
      return closeVersions(sql, keyId, keyVersion);
    };
    const retained = isRetained(edk.wrapping);
    const order = { count: 1, purpose, algorithm, policy, retained, successor } as Successive;
    try {
      const made = await maker.value.make(kms, order, about);
      return made.ok ? ok({ edk: made.value.edks[0] ?? "" }) : made;
    } catch (error) {
      const failed = account === undefined ? "kms:make-own-data-keys" : "kms:make-data-keys";
      return await failedUnderMaster(kms, failed, about, error);
    } finally {
      quota.done(of, 1, since);
    }
  });
}

type Successive = Order & { retained: boolean; successor: Successor };
type Maker = {
  person: Asking;
  make(kms: Context, order: Successive, about: About): Promise<Result<{ edks: string[] }>>;
};

/** Who asks, by the IAM's word, and what makes such a key: under the account's key, or directly under the tenant's master key. */
async function askMaker(
  { IAM }: Pick<Neighbours, "IAM">,
  caller: Caller,
  account: string | undefined,
): Promise<Result<Maker>> {
  if (account === undefined) {
    const signedIn = await IAM.signedIn(caller);
    return signedIn.ok ? ok({ person: signedIn.value, make: makeOwn }) : signedIn;
  }
  const key = await IAM.accountKey({ tenant: caller.tenant, account, caller });
  if (!key.ok) return key;
  const under: Maker["make"] = (kms, order, about) => make(kms, { ...order, account }, key.value, about);
  return ok({ person: key.value.by, make: under });
}

/** What the registration authority says of the instance that is named; undefined where none is. */
type Found = Result<Recipient> | undefined;
const namedBy = (found: Found) => found && { recipient: found.ok ? found.value : null };

type Next = { version: number; policy: KeyPolicy };
type Asked = {
  caller: Caller;
  edk: Item["edk"];
  policies: Context["policies"];
  /** What the registration authority has of the instance that is named; undefined where none is. */
  named: { recipient: Recipient | null } | undefined;
  /** The version for which this asks once more: it is no other's. */
  making?: number;
};

/** Which version comes next, and what may be done with it; if this member may have it made. */
function decideNext(
  sql: SqlStorage,
  { caller, edk, policies, named, making = 0 }: Asked,
  person: Asking,
): Decision<Next> {
  const { keyId, keyVersion, purpose, account } = edk;
  if (person.as === "reader") return refuse("forbidden", "a reader has no keys made");
  const ofAccount = account === undefined ? ok(null) : checkOfAccount(sql, edk);
  if (!ofAccount.ok) return ofAccount;
  const now = seconds(Date.now());
  const instance = named ? checkRecipient(caller, named.recipient, now) : ok(undefined);
  if (!instance.ok) return instance;
  const found = checkKey(caller, { edk, record: findDataKey(sql, keyId, keyVersion), now });
  if (!found.ok) return found;
  const newest = newestOf(sql, keyId, keyVersion, now);
  if (!newest.ok) return newest;
  // The version before has lost what its successor was to have: that says what it was.
  const standing = newest.value === keyVersion ? found.value : findDataKey(sql, keyId, newest.value);
  if (standing === null) return refuse("conflict", "key has no such version");
  const own = [edk.policy, standing.policy];
  // Of a reader's rights alone nobody closes a key for those who have more.
  const used = operationsOf(edk.algorithm).some((operation) => {
    const { tier } = instance.value ?? {};
    const request = { action: operation, principal: caller.custodian, tier, now } as const;
    return !READING.has(operation) && evaluate(own, { ...request, wrapping: null }).allowed;
  });
  if (!used) return refuse("forbidden", "policy of the key: no operation of the caller's");
  for (const name of ["new", keyId]) {
    const resource = resourceOf(name, account);
    const facts = factsOfCaller(caller, {
      action: "create",
      resource,
      account: account ?? null,
      purpose,
      person,
      instance: instance.value,
    });
    const allowed = checkPolicies(policies(), facts);
    if (!allowed.ok) return allowed;
  }
  // Of what may have become a part of a policy since, the version before keeps all; the next one has what it had.
  return ok({
    version: Math.max(newest.value, lastGivenUp(sql, keyId, making)) + 1,
    policy: narrow(edk.policy, standing.policy),
  });
}

function checkOfAccount(sql: SqlStorage, { keyId, layer, purpose }: Item["edk"]): Decision<null> {
  const lives = checkLives(sql);
  if (!lives.ok) return lives;
  if (purpose === "metadata") return refuse("conflict", "the key of the list's names, which the KMS renews");
  const isTheirs = layer !== undefined || isOfInstances(sql, keyId);
  return isTheirs ? refuse("conflict", "a key that instances renew") : ok(null);
}

/** Made for instances at levels `account` and `master`, which number its versions (W10). */
function isOfInstances(sql: SqlStorage, id: string): boolean {
  return sql.exec("SELECT 1 FROM account_data_keys WHERE id = ? LIMIT 1", id).toArray().length > 0;
}

/** The newest version: this one, or those after it that nobody was given. */
function newestOf(sql: SqlStorage, id: string, version: number, now: number): Decision<number> {
  const later = sql
    .exec<{ version: number; created: number; releases: number | null }>(
      `SELECT version, created, releases FROM data_keys LEFT JOIN key_management USING (id, version)
        WHERE id = ? AND version > ? ORDER BY version DESC`,
      ...[id, version],
    )
    .toArray();
  const lost = later.every(({ created, releases }) => !releases && created <= now - LOST);
  return lost ? ok(later[0]?.version ?? version) : refuse("conflict", "key has a later version");
}

/**
 * The newest version that was never given out and whose name the HSM may have: it has still to forget it, or was cut off in the midst of it. 0: none. Rotations
 * run one after the other, so that none of them but `making` is under way.
 */
function lastGivenUp(sql: SqlStorage, id: string, making: number): number {
  return sql
    .exec<{ last: number }>(
      "SELECT coalesce(max(version), 0) AS last FROM retained_keys WHERE id = ? AND version <> ? AND state IN ('making', 'gone')",
      ...[id, making],
    )
    .one().last;
}

/** From now on it opens and verifies alone: the policy in its EDK is narrowed by this one. Those after it that nobody was given end. */
function closeVersions(sql: SqlStorage, id: string, version: number): Decision<undefined> {
  const record = findDataKey(sql, id, version);
  if (record === null) return refuse("forbidden", "key was deleted while the HSM worked");
  const { policy } = record;
  const closed = { ...policy, operations: policy.operations.filter((operation) => READING.has(operation)) };
  sql.exec(
    "UPDATE data_keys SET policy = ? WHERE id = ? AND version = ?",
    ...[JSON.stringify(closed), id, version],
  );
  // Who has ordered the key could enable again what is disabled.
  sql.exec(
    `INSERT INTO key_management (id, version, ends) SELECT id, version, ? FROM data_keys WHERE id = ? AND version > ?
      ON CONFLICT DO UPDATE SET ends = excluded.ends`,
    ...[seconds(Date.now()), id, version],
  );
  // What the HSM keeps of them nobody can ask for.
  sql.exec(
    "UPDATE retained_keys SET state = 'gone' WHERE id = ? AND version > ? AND state = 'kept'",
    id,
    version,
  );
  return ok(undefined);
}
