/**
 * edge/audit: one hash chain a tenant of all decisions, its head signed by the HSM, exportable. May import:
 * protocol, edge/*.ts, edge/hsm, cloudflare:workers. Imported by edge/index.ts; others use its service binding.
 */
export { Audit } from "./entrypoint.ts";
export { AuditObject } from "./object.ts";
export type { AuditRow } from "./row.ts";
