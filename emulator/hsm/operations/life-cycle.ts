import { KmipError } from "#protocol/kmip/index.ts";
import { checkNotLast, checkStillKept } from "../policy/recovery.ts";
import { type ManagedObject, stateAt } from "../store/managed-object.ts";
import type { Clock, Store } from "./context.ts";
import type { Handler } from "./handler.ts";
import { objectFor } from "./object-for.ts";
import type { Operation } from "./operation.ts";

/** States and how an object passes through them (KMIP 2.1 §4.57 State, figure 1). */

/** Activate (KMIP 2.1 §6.1.1) */
const activate: Handler<"Activate"> = ({ uniqueIdentifier }, context) => {
  const object = objectFor(context, uniqueIdentifier, "Activate");
  if (stateAt(object, context.now) !== "PreActive")
    throw new KmipError("WrongKeyLifecycleState", "Only what is Pre-Active is activated");
  object.attributes.activationDate = context.now;
  return changed(object, "Active", context);
};

/** Revoke (KMIP 2.1 §6.1.44): to Compromised for a compromise, from Active to Deactivated for another reason. */
const revoke: Handler<"Revoke"> = (request, context) => {
  const { uniqueIdentifier, revocationReason, compromiseOccurrenceDate } = request;
  const { revocationReasonCode: code } = revocationReason;
  const compromised = code === "KeyCompromise" || code === "CACompromise";
  // KMIP 2.1 §4.57 State: what was destroyed can still turn out to be compromised.
  const object = objectFor(context, uniqueIdentifier, "Revoke", { destroyed: compromised });
  checkNotLast(object, context.work);
  if (!compromised) checkStillKept(object, context.work);
  const state = stateAt(object, context.now);
  object.attributes.revocationReason = revocationReason;
  if (compromised) {
    if (state === "Compromised" || state === "DestroyedCompromised")
      throw new KmipError("WrongKeyLifecycleState", "The object is compromised already");
    object.attributes.compromiseDate = context.now;
    object.attributes.compromiseOccurrenceDate = compromiseOccurrenceDate ?? context.now;
    return changed(object, state === "Destroyed" ? "DestroyedCompromised" : "Compromised", context);
  }
  if (state !== "Active") throw new KmipError("WrongKeyLifecycleState", `The object is ${state}, not Active`);
  object.attributes.deactivationDate = context.now;
  return changed(object, "Deactivated", context);
};

/** Destroy (KMIP 2.1 §6.1.15): the value is gone for good, the attributes stay. An active object is revoked first. */
const destroy: Handler<"Destroy"> = ({ uniqueIdentifier }, context) => {
  const object = objectFor(context, uniqueIdentifier, "Destroy");
  checkNotLast(object, context.work);
  checkStillKept(object, context.work);
  const state = stateAt(object, context.now);
  const isKey = object.objectType !== "OpaqueObject" && object.objectType !== "SecretData";
  if (state === "Active" && isKey && object.objectType !== "Certificate")
    throw new KmipError("WrongKeyLifecycleState", "An active object is revoked before it is destroyed");
  delete object.value;
  object.attributes.destroyDate = context.now;
  return changed(object, state === "Compromised" ? "DestroyedCompromised" : "Destroyed", context);
};

function changed(object: ManagedObject, state: ManagedObject["state"], { work, now }: Clock & Store) {
  object.state = state;
  object.attributes.lastChangeDate = now;
  work.put(object);
  return { uniqueIdentifier: object.uid };
}

export const Activate: Operation<"Activate"> = {
  handler: activate,
  needsValue: true,
  unattested: true,
  deferrable: true,
  undoable: true,
  roles: ["kms", "ra", "iam"],
  ticket: "objects",
  policyName: "ACTIVATE",
  shared: false,
};

export const Revoke: Operation<"Revoke"> = {
  handler: revoke,
  needsValue: false,
  unattested: true,
  deferrable: true,
  undoable: true,
  roles: ["kms", "ra", "iam"],
  ticket: "objects",
  policyName: "REVOKE",
  shared: false,
};

export const Destroy: Operation<"Destroy"> = {
  handler: destroy,
  needsValue: false,
  unattested: true,
  deferrable: true,
  undoable: true,
  roles: ["kms", "ra", "iam"],
  ticket: "objects",
  policyName: "DESTROY",
  shared: false,
};
