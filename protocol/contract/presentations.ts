/** Data keys as an instance asks for them itself: by a grant (M7), with a seed (M9), or what the KMS retains (M11). Apart from what custodians ask: a microservice is measured. */

import {
  presentation,
  presented,
  retainedKeys,
  retainedRequest,
  sealedSeed,
  seedChannel,
  seedPresentation,
} from "../keys/loading/index.ts";
import { MAX_LOADS } from "./names.ts";
import type { Route } from "./route.ts";

/** An instance presents a grant (M7). Who it is, the grant and the proof by its identity key show; no cookie is needed. */
export const presentGrant = {
  site: "vault",
  method: "POST",
  path: "/presentations",
  authentication: "session-if-any",
  request: { json: presentation, limit: MAX_LOADS },
  answer: { status: 200, json: presented },
  problems: [
    "invalid-edk",
    "key-unusable",
    "invalid-grant",
    "invalid-token",
    "forbidden",
    "foreign-custodian",
    "not-recipient",
    "conflict",
    "too-many-requests",
    "strict-tenant",
    "hsm-refused",
    "hsm-unavailable",
  ],
} as const satisfies Route;

/** An instance presents a grant for keys of a seed (M9), and gets a channel to the HSM that takes the seed. */
export const openSeedChannel = {
  site: "vault",
  method: "POST",
  path: "/seed-channels",
  authentication: "session-if-any",
  request: { json: seedPresentation, limit: MAX_LOADS },
  answer: { status: 200, json: seedChannel },
  problems: presentGrant.problems,
} as const satisfies Route;

/** The seed, sealed to the HSM over that channel, for the keys that it gives. */
export const presentSeed = {
  site: "vault",
  method: "POST",
  path: "/seed-presentations",
  authentication: "session-if-any",
  request: { json: sealedSeed, limit: MAX_LOADS },
  answer: { status: 200, json: presented },
  problems: presentGrant.problems,
} as const satisfies Route;

/** An instance loads keys that the KMS retains (M11). Who it is, the proof by its identity key shows; no cookie is needed. */
export const loadRetainedKeys = {
  site: "vault",
  method: "POST",
  path: "/retained-keys",
  authentication: "session-if-any",
  request: { json: retainedRequest, limit: 64 << 10 },
  answer: { status: 200, json: retainedKeys },
  problems: [
    "invalid-grant",
    "invalid-token",
    "forbidden",
    "foreign-custodian",
    "not-recipient",
    "not-found",
    "conflict",
    "too-many-requests",
    "hsm-refused",
    "hsm-unavailable",
  ],
} as const satisfies Route;
