/** What a custodian asks of the registration authority: grants (M3), its instances. Times are seconds since 1970. */

import { METHOD_NAMES } from "../enrolment.ts";
import { line, list, literal, open, seconds, text } from "../shape.ts";
import { instanceId } from "./names.ts";
import type { Route } from "./route.ts";

const method = literal(...METHOD_NAMES);

/** `grant`: whom it is for and 256 random bits, base64url; works once. */
export const issueGrant = {
  site: "app",
  method: "POST",
  path: "/ra/grants",
  authentication: "token",
  answer: { status: 201, json: open({ grant: text(1, 256, /^([a-z2-7]{32}\.)?[\w-]*$/), expires: seconds }) },
  problems: ["forbidden", "foreign-custodian", "hsm-refused"],
} as const satisfies Route;

/** The caller's own, newest first. */
export const listInstances = {
  site: "app",
  method: "GET",
  path: "/ra/instances",
  authentication: "token",
  answer: {
    status: 200,
    json: open({
      instances: list(
        open({
          id: instanceId,
          custodian: line(1024),
          origin: line(512),
          method,
          tier: literal("software", "emulated", "hardware"),
          enrolled: seconds,
          notAfter: seconds,
          status: literal("active", "revoked", "expired"),
        }),
        0,
        100,
      ),
    }),
  },
  problems: ["forbidden"],
} as const satisfies Route;

export const revokeInstance = {
  site: "app",
  method: "DELETE",
  path: "/ra/instances/{id}",
  authentication: "token",
  parameters: { id: instanceId },
  answer: { status: 204 },
  problems: ["forbidden", "not-found"],
} as const satisfies Route;
