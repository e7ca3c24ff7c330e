/**
 * protocol/keys/loading: what brings a data key into an instance, one file a way, told apart by `way`: what is asked of
 * the KMS, what is loaded (the same value passes port, microservice and store), and what an instance verifies before it
 * unwraps. May import: protocol/*.ts, protocol/keys. Imported by protocol/port, protocol/contract, edge/kms and web/.
 */
import { type Of, type Shape, union } from "../../shape.ts";
import * as rewrap from "./rewrap.ts";
import type { Verified, Verifier } from "./verifier.ts";

export type { Verified } from "./verifier.ts";
export type { Wrapped } from "./wrapping.ts";

export const load = /* @__PURE__ */ union("way", { rewrap: rewrap.loaded });
export type Load = Of<typeof load>;
export type Way = Load["way"];
/** The same of one way. */
export type LoadOf<W extends Way> = Extract<Load, { way: W }>;

const requests = { rewrap: rewrap.requested } satisfies { [W in Way]: Shape<{ way: W }> };
export const loadRequest = /* @__PURE__ */ union("way", requests);
export type LoadRequest = Of<typeof loadRequest>;
export type RequestOf<W extends Way> = Extract<LoadRequest, { way: W }>;

const VERIFY: { [W in Way]: (load: LoadOf<W>, by: Verifier) => Promise<Verified> } = {
  rewrap: rewrap.verify,
};

/** Before a key of the instance touches a byte. Throws for anything that does not hold. */
export function verifyLoad<W extends Way>(load: LoadOf<W>, by: Verifier): Promise<Verified> {
  return VERIFY[load.way as W](load, by);
}

/** What a custodian asks for: the key of this EDK, for the holder of this certificate. */
export function requestFor(edk: string, certificate: string): LoadRequest {
  return { way: "rewrap", edk, certificate };
}
