import type { Attributes } from "../kmip/index.ts";

/** A state in the life of an object (KMIP 2.1 §4.57). */
export type State = NonNullable<Attributes["state"]>;

/** The state in which a key works: a master key in any other does not count (M5), and nothing is wrapped to a recipient's. */
export const WORKING: State = "Active";

/** Neither revoked nor at its end: a certificate counts from its registration on, and a key may leave before it works. */
export function isLive(state: State): boolean {
  return state === "PreActive" || state === WORKING;
}
