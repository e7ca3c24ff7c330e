/**
 * protocol/contract: the REST interface as data. Each route once: method, path, authentication, request, answer,
 * problems (RFC 9457). The gateway serves by it, the custodian's client is typed by it, OpenAPI 3.1 comes out of it. May
 * import: protocol/*.ts, protocol/keys/algorithm.ts, protocol/keys/length.ts, protocol/keys/loading, protocol/operations, protocol/policy,
 * protocol/port/instance.ts. Imported by protocol/, edge, web and cli.
 */
export * from "./accounts.ts";
export * from "./administration.ts";
export { AUDIT_PAGE, type AuditEntry, readAudit } from "./audit.ts";
export * from "./client-key-change.ts";
export * from "./client-token.ts";
export * from "./clients.ts";
export { contract, type OperationId, problemsOf } from "./contract.ts";
export * from "./discovery.ts";
export * from "./documents.ts";
export * from "./enrolment.ts";
export * from "./instance-token.ts";
export * from "./instances.ts";
export * from "./kept-keys.ts";
export * from "./key-management.ts";
export * from "./keys.ts";
export * from "./members.ts";
export {
  ACCOUNT_STATES_PAGE,
  keyTags,
  keyVersion,
  MAX_DOCUMENT_IDS,
  MIN_PART,
} from "./names.ts";
export { caasDocument, openApiDocument, serviceDocument } from "./openapi.ts";
export * from "./own-keys.ts";
export * from "./passkeys.ts";
export * from "./policies.ts";
export * from "./presentations.ts";
export {
  PROBLEM_TYPE,
  type ProblemCode,
  type ProblemDocument,
  problemDocument,
  problems,
} from "./problems.ts";
export * from "./quotas.ts";
export * from "./registration.ts";
export { REVOCATION_LISTS } from "./revocation-list.ts";
export * from "./revocations.ts";
export * from "./rotation.ts";
export {
  type Answer,
  type AnswerOf,
  type Authentication,
  type BodyOf,
  type JsonRoute,
  type ParametersOf,
  pathOf,
  type QueryOf,
  type RequestBody,
  type Route,
} from "./route.ts";
export {
  AT_CAAS,
  CAAS_PATH,
  lifeCycle,
  operations,
  problemsOfService,
  type ServiceOperation,
  type ServiceRoute,
  service,
} from "./service.ts";
export * from "./session.ts";
export * from "./shares.ts";
export * from "./token.ts";
export * from "./user-instances.ts";
export * from "./user-keys.ts";
export * from "./version-index.ts";
