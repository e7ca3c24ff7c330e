/** The decision on an operation in the HSM (M16, M12): who asks, with which key, to do what. No instance is there, and no tier. */

import { isHeld, operationsOf } from "#protocol/keys/index.ts";
import { decide, type KeyOperation, rulesOfKeyPolicy } from "#protocol/policy/index.ts";
import type { Caller } from "../../caller.ts";
import { type Decision, ok, refuse } from "../../result.ts";
import { checkKey, type KeyStanding, READING } from "../loading/index.ts";
import { factsOfCaller } from "../policies.ts";

/** By the key's policies, in its EDK and as they stand, and by those of the tenant and of all. `edk` has been verified; `now` in seconds. */
export function decideOperation(
  caller: Caller,
  { edk, record, person, policies, now }: KeyStanding,
  operation: KeyOperation,
): Decision<null> {
  if (edk.record) return refuse("key-unusable", "what is shared is opened by a microservice");
  const found = checkKey(caller, { edk, record, now });
  if (!found.ok) return found;
  if (!operationsOf(edk.algorithm).includes(operation)) return refuse("forbidden", "key is of another kind");
  if (isHeld(edk.wrapping)) return refuse("back-end-refused", "key is under no key of the account");
  if (edk.layer !== undefined) return refuse("forbidden", "key is under a second layer");
  if (person?.as === "reader" && !READING.has(operation))
    return refuse("forbidden", "a reader does not do that");
  const { account = null, purpose } = edk;
  const key = `keys/${edk.keyId}`;
  const resource = account === null ? key : `accounts/${account}/${key}`;
  const facts = factsOfCaller(caller, { action: operation, resource, account, purpose, person });
  const all = [rulesOfKeyPolicy(edk.policy), rulesOfKeyPolicy(found.value.policy), ...policies];
  const decision = decide(all, { ...facts, now });
  return decision.allowed ? ok(null) : refuse("forbidden", `policy: ${decision.reason}`);
}
