import { isKeyClass, type KeyClass, POLICY, policyAttribute, type Role } from "#protocol/hierarchy/index.ts";
import type { Attributes } from "#protocol/kmip/index.ts";

export interface ClassRule {
  /** Whether it can leave the HSM at all, wrapped. */
  extractable: boolean;
  /** Whom it may be wrapped for: its own parent, a verified recipient. */
  releasedTo: readonly ("parent" | "recipient")[];
  /** Who may have it wrapped for those. */
  releasedBy: readonly Role[];
  /** The class of keys made or imported under it. */
  child?: KeyClass;
  /** Who may create a key under it, and who may import one that it wraps. */
  parentFor: readonly Role[];
  unwrapsFor: readonly Role[];
  /** Who may use a key of this class without owning it, where the officer has not said so by `Users`. */
  sharedWith: readonly Role[];
}

/**
 * The release policy of the key hierarchy, as data. Nothing that is absent here is allowed. The server alone sets a
 * key's class, but for a new master key.
 */
export const CLASSES: Readonly<Record<KeyClass, ClassRule>> = {
  master: {
    extractable: false,
    releasedTo: [],
    releasedBy: [],
    child: "account",
    parentFor: ["iam"],
    unwrapsFor: ["kms"],
    sharedWith: ["iam", "kms"],
  },
  account: {
    extractable: true,
    releasedTo: ["parent"],
    releasedBy: ["iam"],
    child: "data",
    parentFor: ["kms"],
    unwrapsFor: ["kms"],
    sharedWith: [],
  },
  data: {
    extractable: true,
    releasedTo: ["parent", "recipient"],
    releasedBy: ["kms"],
    parentFor: [],
    unwrapsFor: [],
    sharedWith: [],
  },
};

/** The key's class; throws for a class of another release, which must not be taken for none. */
export function classOf(attributes: Attributes): KeyClass | undefined {
  const text = policyAttribute(attributes, POLICY.class);
  if (text === undefined) return undefined;
  if (!isKeyClass(text)) throw new Error("A key of an unknown class");
  return text;
}
