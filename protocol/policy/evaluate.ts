import { type KeyOperation, type KeyPolicy, rank, TIERS, type Tier } from "./policy.ts";

/** Who wants to do what. */
export type Request = {
  operation: KeyOperation;
  /** Distinguished Name of the custodian (RFC 4514), compared byte for byte: both sides come from certificates of one CA. */
  principal: string;
  /** Tier of the instance, from its certificate. */
  tier: Tier;
  /** Seconds since 1970. */
  now: number;
};

/** `reason` is for the audit log, not for the one who asked. */
export type Decision = { allowed: true } | { allowed: false; reason: string };

/**
 * Decides under all the policies that apply to a key: its own (in the EDK or the receipt) and the central ones.
 * Deny wins; every policy has to allow; without a policy the answer is no.
 */
export function evaluate(policies: readonly KeyPolicy[], request: Request): Decision {
  if (policies.length === 0) return no("no policy");
  for (const policy of policies) {
    if (policy.denied?.includes(request.principal)) return no("principal denied");
  }
  for (const policy of policies) {
    if (!policy.operations.includes(request.operation))
      return no(`operation ${request.operation} not allowed`);
    if (policy.principals && !policy.principals.includes(request.principal)) return no("principal not named");
    if (policy.tier !== undefined && !(rank(policy.tier) <= TIERS.indexOf(request.tier)))
      return no(`tier below ${policy.tier}`);
    if (policy.expires !== undefined && !(request.now < policy.expires)) return no("policy expired");
  }
  return { allowed: true };
}

function no(reason: string): Decision {
  return { allowed: false, reason };
}
