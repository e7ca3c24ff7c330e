import type { Attributes } from "#protocol/kmip/index.ts";
import { leftOf } from "./usage-limits.ts";

/**
 * Who may change which attribute, and when (KMIP 1.4 §3, KMIP 2.1 §4: "Modifiable by client", "Deletable by client"). The
 * rules are the same in all versions that have the attribute. What is absent is the server's.
 */

/**
 * `pre-active`: while the object is Pre-Active. `until-reached`: while it is Pre-Active or Active, and the date is not
 * reached. `until-deactivated`: while it is Pre-Active or Active. `unused`: until something was used or allocated.
 */
export type When = "always" | "pre-active" | "until-reached" | "until-deactivated" | "unused";

export interface AttributeRule {
  modify: When;
  delete?: "always" | "unused";
  /** The only direction in which it changes, for its owner too. */
  direction?: "tighter";
  /** What others may do whom an operation policy lets change attributes: as the owner, tighten only, nothing. */
  others: "free" | "tighter" | "nothing";
}

const TEXT: AttributeRule = { modify: "always", delete: "always", others: "free" };
/** How a key is used by those who say nothing of it, and what belongs to it: a matter of trust. */
const OWNERS: AttributeRule = { ...TEXT, others: "nothing" };

export const ATTRIBUTE_RULES: Readonly<Partial<Record<keyof Attributes, AttributeRule>>> = {
  name: TEXT,
  objectGroup: TEXT,
  applicationSpecificInformation: TEXT,
  contactInformation: TEXT,
  alternativeName: TEXT,
  comment: TEXT,
  description: TEXT,
  cryptographicParameters: OWNERS,
  link: OWNERS,
  vendorAttributes: OWNERS,
  // Not modifiable by client (KMIP 1.4 §3.18 Operation Policy Name); here its owner may, since nobody else could ever close what it opened.
  operationPolicyName: OWNERS,
  activationDate: { modify: "pre-active", others: "tighter" },
  processStartDate: { modify: "until-reached", others: "tighter" },
  protectStopDate: { modify: "until-reached", others: "tighter" },
  deactivationDate: { modify: "until-deactivated", others: "tighter" },
  usageLimits: { modify: "unused", delete: "unused", others: "tighter" },
  // Not modifiable by client either (KMIP 1.4 §3.19 Cryptographic Usage Mask): a mask that narrows takes nothing from anybody.
  cryptographicUsageMask: { modify: "always", direction: "tighter", others: "tighter" },
  sensitive: { modify: "always", direction: "tighter", others: "tighter" },
  extractable: { modify: "always", direction: "tighter", others: "tighter" },
  protectionLevel: { modify: "always", others: "nothing" },
  protectionPeriod: { modify: "always", others: "nothing" },
  quantumSafe: { modify: "always", others: "nothing" },
};

/** Whether a change only takes away, from what was there (`undefined` where nothing was). */
type Tightens = {
  [Name in keyof Attributes]?: (before: Attributes[Name], after: Attributes[Name]) => boolean;
};

const later = (before: Date | undefined, after: Date | undefined) =>
  before !== undefined && after !== undefined && after >= before;
const earlier = (before: Date | undefined, after: Date | undefined) =>
  after !== undefined && (before === undefined || after <= before);

export const TIGHTENS: Tightens = {
  // Without an activation date the object stays Pre-Active.
  activationDate: later,
  processStartDate: (before, after) => after !== undefined && (before === undefined || after >= before),
  protectStopDate: earlier,
  deactivationDate: earlier,
  usageLimits(before, after) {
    if (!after) return false;
    if (!before) return true;
    // What there is in all counts too: a replacement begins with it.
    const inAll = after.usageLimitsTotal <= before.usageLimitsTotal;
    return after.usageLimitsUnit === before.usageLimitsUnit && inAll && leftOf(after) <= leftOf(before);
  },
  // An object without a mask is good for nothing.
  cryptographicUsageMask: (before = [], after = []) => after.every((use) => before.includes(use)),
  sensitive: (before, after) => after === true || after === before,
  extractable: (before, after) => after === false || after === before,
};
