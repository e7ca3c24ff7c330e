/**
 * The decision on a rewrap (M8, M12, M13): who asks, for which key, to be released to whom. A flat list of guards. That the
 * caller is signed in and a member of the account is the IAM's to say.
 */

import type { ProblemCode } from "#protocol/contract/index.ts";
import { type Edk, isHeld } from "#protocol/keys/index.ts";
import { decide, type KeyPolicy, narrow, rulesOfKeyPolicy } from "#protocol/policy/index.ts";
import { nextChange } from "#protocol/policy/statements/index.ts";
import type { Caller } from "../../caller.ts";
import type { Member, Person } from "../../person.ts";
import type { Recipient } from "../../ra/types.ts";
import { type Decision, ok, refuse } from "../../result.ts";
import { factsOfCaller, type Policies } from "../policies.ts";
import { type DataKeyRecord, NO_ACCOUNT } from "../registry.ts";

/** All that a reader of the account may do with its keys. */
export const READING: ReadonlySet<string> = new Set(["decrypt", "verify", "macVerify"]);

export type Release = {
  edk: Edk;
  recipient: Recipient | null;
  record: DataKeyRecord | null;
  /** Roles and groups of the caller, as the IAM has them. */
  person?: (Person & Partial<Pick<Member, "as">>) | undefined;
  /** That stand on the tenant or on all. */
  policies: Policies;
  now: number;
};

/** The policy for the load receipt, or a refusal. `edk` has been verified; `now` in seconds. */
export function decideRelease(
  caller: Caller,
  { edk, recipient, record, person, policies, now }: Release,
): Decision<KeyPolicy> {
  if (edk.tenant !== caller.tenant) return refuse("forbidden", "EDK belongs to another tenant");
  const standing = checkRecipient(caller, recipient, now);
  if (!standing.ok) return standing;
  const found = checkKey(caller, { edk, record, now });
  if (!found.ok) return found;
  const { policy: current } = found.value;
  return narrowTo(caller, { edk, current, recipient: standing.value, person, policies, now });
}

/** Whether the instance lives, and is the caller's. */
export function checkRecipient(
  caller: Caller,
  recipient: Recipient | null,
  now: number,
): Decision<Recipient> {
  if (!recipient) return refuse("not-recipient", "certificate is not registered");
  if (recipient.status !== "active") return refuse("not-recipient", `instance is ${recipient.status}`);
  if (!(now < recipient.notAfter)) return refuse("not-recipient", "instance's certificate has expired");
  if (recipient.custodian !== caller.custodian)
    return refuse("foreign-custodian", "instance serves another custodian");
  if (recipient.user !== caller.user) return refuse("foreign-custodian", "instance serves another user");
  if (recipient.origin !== caller.origin)
    return refuse("foreign-custodian", "instance serves another origin");
  return ok(recipient);
}

/** Of whoever asks, apart from who is to have it: that the key is there, of this app, and works. */
export type KeyStanding = Omit<Release, "recipient">;

/** The key's record, where the app may use it now. */
export function checkKey(
  caller: Caller,
  { edk, record, now }: Pick<KeyStanding, "edk" | "record" | "now">,
): Decision<DataKeyRecord> {
  if (edk.tenant !== caller.tenant) return refuse("forbidden", "EDK belongs to another tenant");
  if (!record) return refuse("forbidden", "key is not in the registry");
  if (record.account !== (edk.account ?? NO_ACCOUNT))
    return refuse("forbidden", "key is registered for another account");
  // By the app and not by the whole name: two users of one account share what this app sealed.
  if (record.client !== caller.client) return refuse("forbidden", "key was made for another app");
  if (record.state !== "enabled") return refuse("forbidden", `key is ${record.state}`);
  if (typeof record.ends === "number") return refuse("forbidden", "key is to be deleted");
  if (record.expires !== null && !(now < record.expires)) return refuse("forbidden", "key has expired");
  return ok(record);
}

type Narrowed = Pick<Release, "edk" | "person" | "policies" | "now"> & {
  current: KeyPolicy;
  recipient: Recipient;
};

/**
 * What both of the key's policies and those that stand allow to this custodian and tier; the receipt lists those operations
 * alone, until a time that a statement names: what holds afterwards is asked here again.
 */
function narrowTo(
  caller: Caller,
  { edk, current, recipient, person, policies, now }: Narrowed,
): Decision<KeyPolicy> {
  const policy = narrow(edk.policy, current);
  const all = [rulesOfKeyPolicy(edk.policy), rulesOfKeyPolicy(current), ...policies];
  const { purpose } = edk;
  // What stands on the documents of an account holds for whom they are shared with.
  const account = edk.record?.account ?? edk.account ?? null;
  const key = `keys/${edk.keyId}`;
  const resource = account === null ? key : `accounts/${account}/${key}`;
  let reason = "policy allows no operation";
  let code: ProblemCode = "forbidden";
  // What comes of a seed (M9), and what is under no key of the account (M19), goes by RSA-OAEP.
  const wrapping =
    recipient.hybridKey && edk.wrapping !== "seed" && !isHeld(edk.wrapping) ? "hybrid" : "RSA-OAEP";
  const facts = factsOfCaller(caller, {
    action: "decrypt",
    resource,
    account,
    purpose,
    instance: recipient,
    person,
    wrapping,
  });
  policy.operations = policy.operations.filter((action) => {
    if (person?.as === "reader" && !READING.has(action)) return false;
    const decision = decide(all, { ...facts, action, now });
    if (decision.allowed) return true;
    ({ reason } = decision);
    // Of an instance that had the keys for it policy would allow this.
    if (decide(all, { ...facts, action, now, wrapping: "hybrid" }).allowed) code = "hybrid-required";
    return false;
  });
  const change = nextChange(policies, now);
  if (change !== undefined) policy.expires = Math.min(policy.expires ?? change, change);
  return policy.operations.length > 0 ? ok(policy) : refuse(code, reason);
}
