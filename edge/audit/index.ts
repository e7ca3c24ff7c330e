/**
 * edge/audit: a hash chain of decisions for each source, and an append-only log of a tenant's checkpoints, whose roots the
 * HSM signs; exportable. May import: protocol, edge/*.ts, edge/hsm, cloudflare:workers. Imported by edge/index.ts; others
 * append through `AuditForDomains`, and the IAM reads through `AuditForIam` for whom it lets.
 */
export { AuditObject } from "./earlier.ts";
export { Audit } from "./entrypoint.ts";
export { AuditForDomains } from "./for-domains.ts";
export { AuditForIam } from "./for-iam.ts";
export { AuditGathererObject } from "./gatherer.ts";
export { AuditLogObject } from "./log.ts";
export type { AuditRow } from "./row.ts";
export { AuditSourceObject } from "./source.ts";
