/** All routes, by operation id. */

import * as accounts from "./accounts.ts";
import * as administration from "./administration.ts";
import { readAudit } from "./audit.ts";
import * as caas from "./caas.ts";
import { clientToken } from "./client-token.ts";
import * as clients from "./clients.ts";
import * as discovery from "./discovery.ts";
import * as documents from "./documents.ts";
import * as enrolment from "./enrolment.ts";
import { instanceToken } from "./instance-token.ts";
import * as instances from "./instances.ts";
import * as keptKeys from "./kept-keys.ts";
import * as keyManagement from "./key-management.ts";
import * as keys from "./keys.ts";
import * as members from "./members.ts";
import * as ownKeys from "./own-keys.ts";
import * as passkeys from "./passkeys.ts";
import * as policies from "./policies.ts";
import * as presentations from "./presentations.ts";
import type { ProblemCode } from "./problems.ts";
import * as quotas from "./quotas.ts";
import * as registration from "./registration.ts";
import * as revocations from "./revocations.ts";
import * as rotation from "./rotation.ts";
import type { Route } from "./route.ts";
import * as sessions from "./session.ts";
import * as shares from "./shares.ts";
import { token } from "./token.ts";
import * as userInstances from "./user-instances.ts";
import * as userKeys from "./user-keys.ts";
import * as versionIndex from "./version-index.ts";

/** These files export routes and types alone, so that a new one is here by itself. */
export const contract = {
  ...discovery,
  token,
  clientToken,
  instanceToken,
  ...sessions,
  ...registration,
  ...enrolment,
  ...revocations,
  ...passkeys,
  ...keys,
  ...presentations,
  ...keyManagement,
  ...ownKeys,
  ...keptKeys,
  ...rotation,
  ...caas,
  ...instances,
  ...accounts,
  ...documents,
  ...versionIndex,
  ...shares,
  ...members,
  ...administration,
  ...clients,
  ...policies,
  ...userInstances,
  ...userKeys,
  ...quotas,
  readAudit,
} satisfies Record<string, Route>;

export type OperationId = keyof typeof contract;

/** All that may be wrong at a route: what it says itself, and what follows from its site, authentication and request. */
export function problemsOf(route: Route): ProblemCode[] {
  const { method, authentication, parameters, query, request, problems } = route;
  const found = new Set<ProblemCode>(problems);
  const add = (...codes: ProblemCode[]) => codes.forEach((code) => void found.add(code));
  add("wrong-host", "uri-too-long", "headers-too-large", "internal");
  if (method !== "GET") add("foreign-origin");
  if (authentication === "token") add("invalid-token", "too-many-requests", "hsm-unavailable");
  // Whatever is of an account may be of one that is scheduled for deletion.
  if (authentication === "token" && problems.includes("forbidden")) add("pending-deletion");
  if (authentication === "token" || authentication === "proof") add("invalid-proof");
  if (authentication === "session") add("foreign-origin", "no-session", "too-many-requests");
  if (parameters || query || request) add("bad-request");
  if (request) add("too-large", "unsupported-media-type");
  return [...found].sort();
}
