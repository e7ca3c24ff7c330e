/** What a custodian asks of the registration authority: grants (M3), secret zeros (M2), its instances; and which of them it tells the IAM of. Times are seconds since 1970. */

import { MAX_SECRET_ZERO } from "../enrolment.ts";
import { compactJws, line, list, object, open, seconds, text, whole } from "../shape.ts";
import { certificate, enrolmentId, instanceId } from "./names.ts";
import type { BodyOf, Route } from "./route.ts";
import { listedInstance } from "./rows.ts";

/** `grant`: whom it is for and 256 random bits, base64url; works once. */
export const issueGrant = {
  site: "app",
  method: "POST",
  path: "/ra/grants",
  authentication: "token",
  answer: { status: 201, json: open({ grant: text(1, 256, /^([a-z2-7]{32}\.)?[\w-]*$/), expires: seconds }) },
  problems: ["forbidden", "foreign-custodian", "hsm-refused"],
} as const satisfies Route;

/**
 * For a deployer. `custodian`: the Distinguished Name of the custodian for whom a microservice will be launched. `life`: seconds;
 * the deployment's unless it is asked for less. `key`: thumbprint (RFC 7638) of the one identity key that may present it.
 */
export const issueSecretZero = {
  site: "app",
  method: "POST",
  path: "/ra/secret-zeros",
  authentication: "token",
  request: {
    json: object({ custodian: line(1024) }, { life: whole(1, 3600), key: text(43, 43, /^[\w-]*$/) }),
  },
  answer: { status: 201, json: open({ secretZero: compactJws(MAX_SECRET_ZERO), expires: seconds }) },
  problems: ["forbidden", "foreign-custodian", "hsm-refused"],
} as const satisfies Route;

/**
 * For a deployer, where an enclave is: opens the session in which its microservice shows evidence. `accepts`: media types of the
 * evidence that is taken.
 */
export const openAttestation = {
  site: "app",
  method: "POST",
  path: "/ra/attestations",
  authentication: "token",
  request: { json: object({ custodian: line(1024) }) },
  answer: {
    status: 201,
    json: open({
      enrolment: enrolmentId,
      nonce: text(1, 128, /^[\w-]*$/),
      expires: seconds,
      accepts: list(line(256), 1, 16),
    }),
  },
  problems: ["forbidden", "foreign-custodian", "hsm-refused", "attestation-refused", "verifier-unavailable"],
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
      instances: list(open(listedInstance), 0, 100),
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

/**
 * Levels `account` and `master`: the custodian tells the IAM which instance is its own, by the identity certificate (base64url DER) that
 * the microservice itself has shown. Without that the IAM gives the instance no token, whatever the registration authority says.
 */
export const nameInstance = {
  site: "app",
  method: "PUT",
  path: "/iam/instances/{id}",
  authentication: "token",
  parameters: { id: instanceId },
  request: { json: object({ certificate }) },
  answer: { status: 204 },
  problems: ["forbidden", "invalid-certificate"],
} as const satisfies Route;
export type InstanceNaming = BodyOf<typeof nameInstance>;
