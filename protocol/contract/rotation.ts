/** The rotation of a tenant's master key over its accounts (W12), for those who administer it. */

import { type Of, open, whole } from "../shape.ts";
import { identifier } from "./names.ts";
import type { Route } from "./route.ts";

const count = whole(0, 1_000_000_000);
/**
 * Accounts: all, those whose keys are under the master key (`master`, its identifier at the HSM; none before the first rotation),
 * and of the others those that have failed and are tried again.
 */
const rotation = open({ all: count, moved: count, failed: count }, { master: identifier });
export type RotationProgress = Of<typeof rotation>;

export const readRotation = {
  site: "app",
  method: "GET",
  path: "/kms/rotation",
  authentication: "token",
  answer: { status: 200, json: rotation },
  problems: ["forbidden"],
} as const satisfies Route;

/** The account keys go under the master key that the HSM has now, in the background. Asked for again, what has failed is tried at once. */
export const beginRotation = {
  site: "app",
  method: "POST",
  path: "/kms/rotation",
  authentication: "token",
  answer: { status: 200, json: rotation },
  problems: ["forbidden", "strict-tenant", "hsm-refused"],
} as const satisfies Route;
