import type { Attributes } from "#protocol/kmip/index.ts";
import { type ManagedObject, stateAt } from "../managed-object.ts";

/** All attributes of an object as a client sees them now. */
export function clientAttributes(object: ManagedObject, now: Date): Attributes {
  const { uid, objectType, attributes } = object;
  return { uniqueIdentifier: uid, objectType, ...attributes, state: stateAt(object, now) };
}
