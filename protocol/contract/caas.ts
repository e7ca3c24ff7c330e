/**
 * The centralized CaaS (M16): the service contract on an app's origin, below `/caas`: its operations, for tenants whose officer allows them, and what
 * of the rest has a meaning there. Who asks shows a token where a microservice wants a certificate; paths, bodies and problems are the same.
 */

import type { ProblemCode } from "./problems.ts";
import type { Route } from "./route.ts";
import { CAAS_PATH, lifeCycle, operations } from "./service.ts";

/** Beside those of the operation: what may be wrong at KMS and HSM. */
const AT_HSM = ["conflict", "forbidden", "hsm-refused", "too-large"] as const satisfies ProblemCode[];

function centralized<O extends keyof typeof operations>(name: O) {
  const { method, path, request, answer, problems } = operations[name];
  return {
    site: "app",
    authentication: "token",
    method,
    path: `${CAAS_PATH}${path}`,
    request: request as (typeof operations)[O]["request"],
    answer: answer as (typeof operations)[O]["answer"],
    // Those of an instance are no one's here.
    problems: [...problems.filter((code) => code !== "not-enrolled"), ...AT_HSM],
  } as const satisfies Route;
}

export const caasEncrypt = centralized("encrypt");
export const caasDecrypt = centralized("decrypt");
export const caasMac = centralized("mac");
export const caasMacVerify = centralized("macVerify");
export const caasSign = centralized("sign");
export const caasVerify = centralized("verify");
export const caasPublicKey = centralized("publicKey");
export const caasHash = centralized("hash");
export const caasRandom = centralized("random");

/** The contract as the CaaS answers it. */
export const caasOpenApi = {
  site: "app",
  authentication: "token",
  method: "GET",
  path: `${CAAS_PATH}/openapi.json`,
  answer: lifeCycle.openApi.answer,
  problems: [],
} as const satisfies Route;

/** What it is: no instance. */
export const caasDescribe = {
  site: "app",
  authentication: "token",
  method: "GET",
  path: `${CAAS_PATH}/instance`,
  answer: lifeCycle.describe.answer,
  problems: [],
} as const satisfies Route;

/** No key is held from one request to the next, so that there is none to let go. */
export const caasLock = {
  site: "app",
  authentication: "token",
  method: "POST",
  path: `${CAAS_PATH}/locks`,
  request: lifeCycle.lock.request,
  answer: lifeCycle.lock.answer,
  problems: [],
} as const satisfies Route;
