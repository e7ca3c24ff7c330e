/**
 * protocol/keys/loading: what brings a data key into an instance, one file a way, told apart by `way`: what is asked of
 * the KMS, what is loaded (the same value passes port, microservice and store), and what an instance verifies before it
 * unwraps. May import: protocol/*.ts, protocol/keys. Imported by protocol/port, protocol/contract, edge/kms and web/.
 */
import { jwsParts } from "../../jws.ts";
import { type Of, type Shape, union } from "../../shape.ts";
import * as grant from "./grant.ts";
import * as retained from "./retained.ts";
import * as rewrap from "./rewrap.ts";
import * as seed from "./seed.ts";
import * as several from "./several.ts";
import type { Verified, Verifier } from "./verifier.ts";

export { entrusted, entrusting } from "./entrust.ts";
export { MAX_GRANTED, type Presentation, type Presented, presentation, presented } from "./grant.ts";
export {
  RETAINED_SECONDS,
  type RetainedKeys,
  type RetainedRequest,
  retainedInput,
  retainedKeys,
  retainedRequest,
} from "./retained.ts";
export { type SealedSeed, sealedSeed, seedChannel, seedPresentation } from "./seed.ts";
export type { Verified } from "./verifier.ts";
export { type Wrapped, wrappedOf } from "./wrapping.ts";

/** What an instance verifies and unwraps, one key by itself. Every way ends with it, and the store keeps it. */
export const load = /* @__PURE__ */ union("way", { rewrap: rewrap.loaded });
export type Load = Of<typeof load>;
export type Way = Load["way"];
/** The same of one way. */
export type LoadOf<W extends Way> = Extract<Load, { way: W }>;

/** What a custodian hands over, for one key or several. */
export const handed = /* @__PURE__ */ union("way", {
  rewrap: rewrap.loaded,
  several: several.loaded,
  grant: grant.handed,
  retained: retained.handed,
  seed: seed.handed,
});
/** The same in JSON. */
export const handedInJson = /* @__PURE__ */ union("way", {
  rewrap: rewrap.loaded,
  several: several.loaded,
  grant: grant.handed,
  retained: retained.handed,
  seed: seed.handedInJson,
});
export type Handed = Of<typeof handed>;
export type HandedOf<W extends Handed["way"]> = Extract<Handed, { way: W }>;

const requests = { rewrap: rewrap.requested, several: several.requested } satisfies {
  [W in "rewrap" | "several"]: Shape<{ way: W }>;
};
export const loadRequest = /* @__PURE__ */ union("way", requests);
export type LoadRequest = Of<typeof loadRequest>;
export type RequestOf<W extends LoadRequest["way"]> = Extract<LoadRequest, { way: W }>;
/** What the KMS answers: what was asked for by a way, to be handed over as it is. */
export const loadAnswer = /* @__PURE__ */ union("way", { rewrap: rewrap.loaded, several: several.loaded });
export type LoadAnswer = Of<typeof loadAnswer>;

const VERIFY: { [W in Way]: (load: LoadOf<W>, by: Verifier) => Promise<Verified> } = {
  rewrap: rewrap.verify,
};

/** Before a key of the instance touches a byte. Throws for anything that does not hold. */
export function verifyLoad<W extends Way>(load: LoadOf<W>, by: Verifier): Promise<Verified> {
  return VERIFY[load.way as W](load, by);
}

/**
 * What a custodian asks for: the key of this EDK, for the holder of this certificate; or where the KMS retains it (M11), what it hands
 * to the instance, which asks itself. Not verified: the KMS and the instance find out what it says.
 */
export function requestFor(edk: string, certificate: string): RequestOf<"rewrap"> | HandedOf<"retained"> {
  const { wrapping, account, owner, keyId, keyVersion } = said(edk);
  const keys = [`${keyId}.${keyVersion}`];
  if (wrapping === "retained" && typeof account === "string") return { way: "retained", account, keys };
  if (wrapping === "retained-own" && typeof owner === "string") return { way: "retained", owner, keys };
  return { way: "rewrap", edk, certificate };
}

/** Whether an EDK says that its key comes to attested recipients alone (M19): whoever asks for it shows the document of the instance. Not verified. */
export function isForAttested(edk: string): boolean {
  return said(edk).wrapping === "aws-kms";
}

/** Whether an EDK says that its key is derived from a seed (M9). Not verified. */
export function isOfSeed(edk: string): boolean {
  return said(edk).wrapping === "seed";
}

function said(edk: string): Record<string, unknown> {
  try {
    return Object(JSON.parse(new TextDecoder().decode(jwsParts(edk).payload)));
  } catch {
    return {};
  }
}
