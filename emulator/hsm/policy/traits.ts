import type { Role } from "#protocol/hierarchy/index.ts";

/** What is to be known of an operation before it is done. Default deny: anyone who is not named here may not ask for it. */
export interface Traits {
  /** Whether it reaches for the value of the objects that it names, which archived objects do not have at hand. */
  needsValue: boolean;
  /** Whether it neither uses nor releases what an object holds; all others need attestation where it is required. */
  unattested: boolean;
  /** Whether its answer may be left for later (KMIP 2.1 §9.2 Asynchronous Indicator). */
  deferrable: boolean;
  /** Whether it may stand in a batch that is undone as a whole. */
  undoable: boolean;
  /** Who may ask for it, besides officer and users, who may ask for all. What it may then do is decided object by object. */
  roles: readonly Role[];
  /**
   * What it is to a ticket whose rights name objects: `objects`, if it reaches the objects that it names, each by
   * `objectFor`, and makes no others (Locate finds these alone); `session`, if it is about the session itself, or tells
   * what is told to everybody; `none` otherwise, for what it reads or changes is the owner's or everybody's.
   */
  ticket: "objects" | "session" | "none";
  /** What operation policies call it, as PyKMIP's policy files do; undefined for what concerns no object. */
  policyName: string | undefined;
  /** Whether `Users` may do it with an object that they do not own. */
  shared: boolean;
}

/** Traits by the operation's name. */
export type OperationTraits = Readonly<Partial<Record<string, Traits>>>;

/** Operations by the names that operation policies have for them. */
export function namedInPolicies(operations: OperationTraits): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(operations).flatMap(([operation, traits]) =>
      traits?.policyName === undefined ? [] : [[traits.policyName, operation]],
    ),
  );
}
