import { type Decision, decide, type Rule } from "./decide.ts";
import { isNamed } from "./names.ts";
import { type Action, type KeyPolicy, rank, TIERS, type Tier, type Wrapping } from "./policy.ts";

/** Who wants to do what. */
export type Request = {
  action: Action;
  /** Distinguished Name of the custodian (RFC 4514); a key policy compares it byte for byte, but for a common name that it leaves open: both sides come from certificates of one CA. */
  principal: string;
  /** Tier of the instance, from its certificate. */
  tier: Tier | undefined;
  /** How the key came, or comes, to the instance; null where it goes to none. */
  wrapping?: Wrapping | null | undefined;
  /** Seconds since 1970. */
  now: number;
};

/** Decides under all the key policies that apply to a key: its own (in the EDK or the receipt) and the current one. */
export function evaluate(policies: readonly KeyPolicy[], request: Request): Decision {
  return decide(policies.map(rulesOfKeyPolicy), request);
}

/** A key policy as what it is in short for: one statement that denies and one that allows. */
export function rulesOfKeyPolicy(policy: KeyPolicy): Rule<Request>[] {
  const { operations, principals, denied, tier, expires, wrapping } = policy;
  return [
    {
      effect: "deny",
      asks: [
        { name: "principal", answer: ({ principal }) => denied !== undefined && isNamed(denied, principal) },
      ],
    },
    {
      effect: "allow",
      asks: [
        { name: "operation", answer: ({ action }) => (operations as Action[]).includes(action) },
        { name: "principal", answer: ({ principal }) => isNamed(principals, principal) },
        {
          name: "tier",
          // Of a tier that is not known or not shown the place is before all.
          answer: (request) =>
            tier === undefined || rank(tier) <= (TIERS as readonly unknown[]).indexOf(request.tier),
        },
        { name: "expires", answer: ({ now }) => expires === undefined || now < expires },
        {
          name: "wrapping",
          answer: (request) => !wrapping || request.wrapping === null || request.wrapping === wrapping,
        },
      ],
    },
  ];
}
