import { type KeyClass, USAGE } from "#protocol/hierarchy/index.ts";
import { type Attributes, KmipError } from "#protocol/kmip/index.ts";
import { classOf } from "../policy/classes.ts";
import { OPERATING } from "../policy/data-operations.ts";
import { SEED_CLASSES } from "../policy/seed.ts";
import { leftOf } from "../policy/usage-limits.ts";
import { isDestroyed, type ManagedObject, stateAt } from "../store/managed-object.ts";
import type { Clock, Store } from "./context.ts";

export type Use = NonNullable<Attributes["cryptographicUsageMask"]>[number];

/** Uses that protect need an active key; those that process what was protected before go on after its end. */
const PROCESSING: ReadonlySet<Use> = new Set<Use>(["Decrypt", "Verify", "UnwrapKey", "MACVerify"]);

/** What keys of the hierarchy are never used for, whatever their mask: nothing that would show them or use them up. */
const HIERARCHY: ReadonlySet<Use> = new Set<Use>(["WrapKey", "UnwrapKey"]);

/** What a channel's keys are for, each (`policy/channel.ts`), and a seed's (`policy/seed.ts`). */
const CHANNEL: ReadonlySet<KeyClass> = new Set<KeyClass>(["agreement", "agreed", "channel", ...SEED_CLASSES]);

function isForbidden(keyClass: KeyClass | undefined, use: Use): boolean {
  if (keyClass === undefined) return false;
  // The policy says of which data keys, and what (`policy/data-operations.ts`).
  if (keyClass === "data" && use === "DeriveKey") return false;
  return CHANNEL.has(keyClass) || OPERATING.has(keyClass) || keyClass === "signature"
    ? !USAGE[keyClass].some((one) => one === use)
    : !HIERARCHY.has(use);
}

/** Throws unless the key may be used so now: usage mask, state and dates (KMIP 2.1 §4.57 State, §4.17 Cryptographic Usage Mask). */
export function checkUsable(key: ManagedObject, use: Use, now: Date): void {
  const { attributes } = key;
  if (isDestroyed(key)) throw new KmipError("ObjectDestroyed", "The key was destroyed");
  const keyClass = classOf(attributes);
  if (isForbidden(keyClass, use)) throw new KmipError("PermissionDenied", "Keys of the hierarchy only wrap");
  if (!attributes.cryptographicUsageMask?.includes(use))
    throw new KmipError("IncompatibleCryptographicUsageMask", "The key is not for that use");
  const state = stateAt(key, now);
  const afterEnd = PROCESSING.has(use) && !keyClass && (state === "Deactivated" || state === "Compromised");
  if (state !== "Active" && !afterEnd)
    throw new KmipError("WrongKeyLifecycleState", `The key is ${state}, not Active`);
  const { processStartDate, protectStopDate } = attributes;
  if (PROCESSING.has(use) && processStartDate && !(processStartDate <= now))
    throw new KmipError("WrongKeyLifecycleState", "The key may not be used yet");
  if (!PROCESSING.has(use) && protectStopDate && !(now < protectStopDate))
    throw new KmipError("WrongKeyLifecycleState", "The key may not protect any more");
}

/**
 * Usage limits (KMIP 2.1 §4.59): a use that protects takes its part from the count, and is refused when too little is
 * left. Bytes count where the unit is Byte, the use itself where it is Object. The refusal is a denial (CS-BC-M-7), as
 * "Usage Limit Exceeded" is that of Get Usage Allocation.
 */
export function countUsage(key: ManagedObject, bytes: number, { work, now }: Clock & Store): void {
  const limits = key.attributes.usageLimits;
  if (!limits) return;
  const left = leftOf(limits);
  const used = limits.usageLimitsUnit === "Byte" ? BigInt(bytes) : 1n;
  if (used > left) throw new KmipError("PermissionDenied", "The key's usage limit is reached");
  key.attributes.usageLimits = { ...limits, usageLimitsCount: left - used };
  key.attributes.lastChangeDate = now;
  work.put(key);
}
