import type { Attributes, ManagedObject as ObjectValue } from "#protocol/kmip/index.ts";

export type { ObjectValue };
export type ObjectType = NonNullable<Attributes["objectType"]>;
export type State = NonNullable<Attributes["state"]>;

/** What the store keeps of an object. */
export interface ManagedObject {
  uid: string;
  /** The identity that made it. */
  owner: string;
  objectType: ObjectType;
  /** All attributes but identifier, object type and state. */
  attributes: Attributes;
  /** Indexes of instances that are not their positions, and the next one, by attribute (`operations/attribute-instances.ts`). */
  indexes?: Record<string, { held: number[]; next: number }>;
  /** The state that was last written; dates may have moved it on since (`stateAt`). */
  state: State;
  /** The object as the client may see it; gone after Destroy. */
  value?: ObjectValue;
}

/** KMIP 2.1 §4.57 State: activation and deactivation happen at their dates, without anyone asking. */
export function stateAt({ state, attributes }: ManagedObject, now: Date): State {
  let current = state;
  const { activationDate, deactivationDate } = attributes;
  if (current === "PreActive" && activationDate && activationDate <= now) current = "Active";
  if (current === "Active" && deactivationDate && !(now < deactivationDate)) current = "Deactivated";
  return current;
}

export function isDestroyed({ state }: ManagedObject): boolean {
  return state === "Destroyed" || state === "DestroyedCompromised";
}
