import type { Attributes } from "#protocol/kmip/index.ts";
import type { Role } from "./roles.ts";

/** The rungs of the key hierarchy (vendor attribute `Class`); the server alone sets them, but for a new master key. */
export type KeyClass = "master" | "account" | "data";

export interface ClassRule {
  /** The most that a key of this class may be used for. */
  usage: readonly ("WrapKey" | "UnwrapKey" | "DeriveKey")[];
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

/** The release policy of the key hierarchy, as data. Nothing that is absent here is allowed. */
export const CLASSES: Readonly<Record<KeyClass, ClassRule>> = {
  master: {
    usage: ["WrapKey", "UnwrapKey"],
    extractable: false,
    releasedTo: [],
    releasedBy: [],
    child: "account",
    parentFor: ["iam"],
    unwrapsFor: ["kms"],
    sharedWith: ["iam", "kms"],
  },
  account: {
    usage: ["WrapKey", "UnwrapKey"],
    extractable: true,
    releasedTo: ["parent"],
    releasedBy: ["iam"],
    child: "data",
    parentFor: ["kms"],
    unwrapsFor: ["kms"],
    sharedWith: [],
  },
  data: {
    usage: ["DeriveKey"],
    extractable: true,
    releasedTo: ["parent", "recipient"],
    releasedBy: ["kms"],
    parentFor: [],
    unwrapsFor: [],
    sharedWith: [],
  },
};

/** Vendor attributes under this identification are policy. */
export const VENDOR = "Coffer";

/** The text of a policy attribute; undefined when the object has none of that name. */
export function policyAttribute(attributes: Attributes, name: string): string | undefined {
  const found = attributes.vendorAttributes?.find(
    (attribute) => attribute.vendorIdentification === VENDOR && attribute.attributeName === name,
  );
  return typeof found?.attributeValue === "string" ? found.attributeValue : undefined;
}

/** The key's class; throws for a class of another release, which must not be taken for none. */
export function classOf(attributes: Attributes): KeyClass | undefined {
  const text = policyAttribute(attributes, "Class");
  if (text === undefined) return undefined;
  if (!Object.hasOwn(CLASSES, text)) throw new Error("A key of an unknown class");
  return text as KeyClass;
}
