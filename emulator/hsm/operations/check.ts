import { KmipError } from "#protocol/kmip/index.ts";
import { leftOf } from "../policy/usage-limits.ts";
import type { Handler } from "./handler.ts";
import { shorterLease } from "./lease-time.ts";
import { objectFor } from "./object-for.ts";
import type { Operation } from "./operation.ts";
import { checkUsable } from "./usage.ts";

/**
 * Check (KMIP 2.1 §6.1.7): whether an object may be used so. Where its attributes do not allow what is asked, the answer
 * has what they allow.
 */
const check: Handler<"Check"> = (request, context) => {
  const object = objectFor(context, request.uniqueIdentifier, "Check");
  const { usageLimits, leaseTime: longest, cryptographicUsageMask = [] } = object.attributes;
  const answer = { uniqueIdentifier: object.uid };
  const left = usageLimits && leftOf(usageLimits);
  if (request.usageLimitsCount !== undefined && left !== undefined && request.usageLimitsCount > left)
    return { ...answer, usageLimitsCount: left };
  const leaseTime = shorterLease(longest, context.leaseTime);
  if (request.leaseTime !== undefined && shorterLease(request.leaseTime, leaseTime) !== request.leaseTime)
    return { ...answer, leaseTime };
  const uses = request.cryptographicUsageMask ?? [];
  if (uses.some((use) => !cryptographicUsageMask.includes(use)))
    throw new KmipError("IncompatibleCryptographicUsageMask", "The object is not for that use");
  for (const use of uses) checkUsable(object, use, context.now);
  return answer;
};

export const Check: Operation<"Check"> = {
  handler: check,
  needsValue: true,
  unattested: true,
  deferrable: true,
  undoable: true,
  roles: [],
  ticket: "objects",
  policyName: "CHECK",
  shared: true,
};
