import { type Attributes, KmipError } from "#protocol/kmip/index.ts";

type Limits = NonNullable<Attributes["usageLimits"]>;

/**
 * Usage Limits (KMIP 1.4 §3.21, KMIP 2.1 §4.59): of Total, Count and Unit a client sets Total and Unit, and changes Total
 * until something was used. Count is what is left, and the server's.
 */

/** What is left; before it was written down with the limits, a missing Count meant all. */
export function leftOf({ usageLimitsTotal, usageLimitsCount = usageLimitsTotal }: Limits): bigint {
  return usageLimitsCount;
}

/** Throws for limits that cannot be, no matter who gives them. */
export function checkUsageLimits({ usageLimits }: Attributes): void {
  if (!usageLimits) return;
  const { usageLimitsTotal: total } = usageLimits;
  const left = leftOf(usageLimits);
  if (total < 0n || left < 0n || left > total)
    throw new KmipError("InvalidAttributeValue", "Not usage limits");
}

/** Throws where a change of an object's limits says more than a Total. */
export function checkLimitsChange(before: Limits | undefined, { usageLimits }: Attributes): void {
  if (!usageLimits) return;
  if (leftOf(usageLimits) !== usageLimits.usageLimitsTotal)
    throw new KmipError("InvalidAttributeValue", "Usage Limits Count is the server's to set");
  if (before && before.usageLimitsUnit !== usageLimits.usageLimitsUnit)
    throw new KmipError("InvalidAttributeValue", "The unit of usage limits stays");
}

/** Limits of which nothing is used: a Count that a client gives a new object is not looked at. */
export function unused(limits: Limits): Limits {
  return { ...limits, usageLimitsCount: limits.usageLimitsTotal };
}

/** Limits with their Count. */
export function counted(limits: Limits): Limits {
  return { ...limits, usageLimitsCount: leftOf(limits) };
}
