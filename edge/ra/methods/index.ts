/**
 * edge/ra/methods: the ways to show that an instance may enrol (M1, M2, M3), one file a method behind `EnrolmentMethod`.
 * May import protocol/ and the shared files of edge/ and edge/ra. Imported by edge/ra.
 */
import type { MethodName } from "../types.ts";
import { grantMethod } from "./grant.ts";
import type { EnrolmentMethod } from "./method.ts";

export { DEFAULT_PER_MINUTE, makeGrant, storeGrant } from "./grant.ts";
export type { EnrolmentMethod } from "./method.ts";

const METHODS: readonly EnrolmentMethod[] = [grantMethod];

/** The methods that a session accepts. */
export const ACCEPTED: readonly MethodName[] = METHODS.map((method) => method.name);

export function methodNamed(name: string): EnrolmentMethod | undefined {
  return METHODS.find((method) => method.name === name);
}
