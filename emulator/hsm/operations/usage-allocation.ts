import { KmipError } from "#protocol/kmip/index.ts";
import { leftOf } from "../policy/usage-limits.ts";
import { stateAt } from "../store/managed-object.ts";
import type { Handler } from "./handler.ts";
import { objectFor } from "./object-for.ts";
import type { Operation } from "./operation.ts";

/** Get Usage Allocation (KMIP 2.1 §6.1.23): a part of the usage limit, for uses outside this server. */
const getUsageAllocation: Handler<"GetUsageAllocation"> = (request, context) => {
  const object = objectFor(context, request.uniqueIdentifier, "GetUsageAllocation");
  const { usageLimits } = object.attributes;
  if (!usageLimits) throw new KmipError("AttributeNotFound", "The object has no usage limits");
  if (stateAt(object, context.now) !== "Active")
    throw new KmipError("WrongKeyLifecycleState", "The object is not Active");
  if (request.usageLimitsCount < 1n) throw new KmipError("InvalidField", "Not a count");
  const left = leftOf(usageLimits);
  if (request.usageLimitsCount > left)
    throw new KmipError("UsageLimitExceeded", "The usage limit leaves less than that");
  object.attributes.usageLimits = { ...usageLimits, usageLimitsCount: left - request.usageLimitsCount };
  object.attributes.lastChangeDate = context.now;
  context.work.put(object);
  return { uniqueIdentifier: object.uid };
};

export const GetUsageAllocation: Operation<"GetUsageAllocation"> = {
  handler: getUsageAllocation,
  needsValue: false,
  unattested: true,
  deferrable: true,
  undoable: true,
  roles: [],
  ticket: "objects",
  policyName: "GET_USAGE_ALLOCATION",
  shared: false,
};
