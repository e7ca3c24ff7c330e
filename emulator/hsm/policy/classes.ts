import { isKeyClass, type KeyClass, POLICY, policyAttribute, type Role } from "#protocol/hierarchy/index.ts";
import type { Attributes } from "#protocol/kmip/index.ts";
import { DEFAULT_LEVEL, isLevel, LEVELS, type Level } from "#protocol/level.ts";

export interface ClassRule {
  /** At which release levels it can leave the HSM at all, wrapped. */
  extractableAt: readonly Level[];
  /** Whom it may be wrapped for: its own parent, and at which release levels a verified recipient. */
  releasedTo: readonly "parent"[];
  releasedToRecipientAt: readonly Level[];
  /** Whether a recipient's certificate has to name the level of the key. */
  recipientNamesLevel: boolean;
  /** Who may have it wrapped for those. */
  releasedBy: readonly Role[];
  /** The class of keys made or imported under it. */
  child?: KeyClass;
  /** The class of those that are told apart from its children by their use (`admission.ts`), and below a master key by how they are wrapped (`under-parent.ts`). */
  secondChild?: KeyClass;
  /** The class of the keys that its children's private halves are under: below a master key that is a pair itself (`master-cek.ts`), and below an account key. */
  cek?: KeyClass;
  /** Whether it may be an RSA pair, of which the private half is kept; it wraps by the public one. */
  pairs: boolean;
  /** Who may create a key under it, and who may import one that it wraps. */
  parentFor: readonly Role[];
  unwrapsFor: readonly Role[];
  /** Who may bring in a key that stays wrapped, and get it back as it came. */
  keptFor: readonly Role[];
  /** Who may use a key of this class without owning it; the officer's `Users` can only take away from that. */
  sharedWith: readonly Role[];
}

/** Of a channel's keys (`channel.ts`), of a seed's (`seed.ts`), and of what is derived from data keys (`data-operations.ts`): none leaves, has a parent or is one, but that a seed-channel brings in seeds. */
const NOWHERE: ClassRule = {
  extractableAt: [],
  releasedTo: [],
  releasedToRecipientAt: [],
  recipientNamesLevel: true,
  releasedBy: [],
  pairs: false,
  parentFor: [],
  unwrapsFor: [],
  keptFor: [],
  sharedWith: [],
};

/**
 * The release policy of the key hierarchy, as data. Nothing that is absent here is allowed. The server alone sets a
 * key's class, but for a new master key and for a recovery key that the officer brings.
 */
export const CLASSES: Readonly<Record<KeyClass, ClassRule>> = {
  master: {
    extractableAt: ["master"],
    releasedTo: [],
    releasedToRecipientAt: ["master"],
    recipientNamesLevel: true,
    releasedBy: ["kms"],
    child: "account",
    secondChild: "data",
    cek: "master-cek",
    pairs: true,
    parentFor: ["kms"],
    unwrapsFor: ["kms"],
    keptFor: [],
    sharedWith: ["kms"],
  },
  account: {
    extractableAt: LEVELS,
    releasedTo: ["parent"],
    releasedToRecipientAt: ["account"],
    recipientNamesLevel: true,
    releasedBy: ["kms"],
    child: "data",
    secondChild: "signature",
    cek: "signing",
    pairs: true,
    parentFor: ["kms"],
    unwrapsFor: ["kms"],
    keptFor: [],
    sharedWith: [],
  },
  data: {
    extractableAt: LEVELS,
    releasedTo: ["parent"],
    releasedToRecipientAt: LEVELS,
    recipientNamesLevel: false,
    releasedBy: ["kms"],
    pairs: false,
    parentFor: [],
    unwrapsFor: [],
    keptFor: [],
    sharedWith: [],
  },
  signing: {
    extractableAt: LEVELS,
    releasedTo: ["parent"],
    releasedToRecipientAt: [],
    recipientNamesLevel: true,
    releasedBy: ["kms"],
    child: "signature",
    pairs: false,
    parentFor: [],
    unwrapsFor: ["kms"],
    keptFor: [],
    sharedWith: [],
  },
  signature: {
    extractableAt: LEVELS,
    releasedTo: ["parent"],
    releasedToRecipientAt: [],
    recipientNamesLevel: true,
    releasedBy: ["kms"],
    pairs: true,
    parentFor: [],
    unwrapsFor: [],
    keptFor: [],
    sharedWith: [],
  },
  encrypted: {
    extractableAt: LEVELS,
    releasedTo: [],
    releasedToRecipientAt: [],
    recipientNamesLevel: true,
    releasedBy: [],
    pairs: false,
    parentFor: [],
    unwrapsFor: [],
    keptFor: ["kms"],
    sharedWith: [],
  },
  recovery: {
    extractableAt: [],
    releasedTo: [],
    releasedToRecipientAt: [],
    recipientNamesLevel: true,
    releasedBy: [],
    child: "restored",
    pairs: true,
    parentFor: [],
    unwrapsFor: ["kms"],
    keptFor: [],
    sharedWith: ["kms"],
  },
  restored: {
    extractableAt: ["master"],
    releasedTo: [],
    releasedToRecipientAt: ["master"],
    recipientNamesLevel: true,
    releasedBy: ["kms"],
    pairs: false,
    parentFor: [],
    unwrapsFor: [],
    keptFor: [],
    sharedWith: [],
  },
  cek: {
    extractableAt: LEVELS,
    releasedTo: ["parent"],
    releasedToRecipientAt: [],
    recipientNamesLevel: false,
    releasedBy: ["kms"],
    pairs: false,
    parentFor: [],
    unwrapsFor: [],
    keptFor: [],
    sharedWith: [],
  },
  "master-cek": {
    extractableAt: LEVELS,
    releasedTo: ["parent"],
    releasedToRecipientAt: [],
    recipientNamesLevel: true,
    releasedBy: ["kms"],
    child: "account",
    pairs: false,
    parentFor: [],
    unwrapsFor: ["kms"],
    keptFor: [],
    sharedWith: [],
  },
  "app-specific": {
    extractableAt: LEVELS,
    releasedTo: [],
    releasedToRecipientAt: [],
    recipientNamesLevel: true,
    releasedBy: ["kms"],
    pairs: false,
    parentFor: [],
    unwrapsFor: [],
    keptFor: [],
    sharedWith: [],
  },
  agreement: NOWHERE,
  agreed: NOWHERE,
  channel: NOWHERE,
  "seed-hmac": { ...NOWHERE, sharedWith: ["kms"] },
  "seed-channel": { ...NOWHERE, child: "seed", unwrapsFor: ["kms"] },
  seed: NOWHERE,
  "seed-salt": NOWHERE,
  "seed-stretched": NOWHERE,
  message: NOWHERE,
  commitment: NOWHERE,
  mac: NOWHERE,
};

/** The key's class; throws for a class of another release, which must not be taken for none. */
export function classOf(attributes: Attributes): KeyClass | undefined {
  const text = policyAttribute(attributes, POLICY.class);
  if (text === undefined) return undefined;
  if (!isKeyClass(text)) throw new Error("A key of an unknown class");
  return text;
}

/** The release level of a key of the hierarchy; throws for one of another release. */
export function levelOf(attributes: Attributes): Level {
  const text = policyAttribute(attributes, POLICY.level);
  if (text === undefined) return DEFAULT_LEVEL;
  if (!isLevel(text)) throw new Error("A key of an unknown release level");
  return text;
}
