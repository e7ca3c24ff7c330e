/**
 * web/hosts/sidecar: a process of its own before a Node microservice (M15): it alone reaches the microservice's socket, and
 * decides of every request by who asks (the Distinguished Name of the certificate), by path and headers, and by how many there
 * were; what it decides stands in its audit file before anything is forwarded. It holds no key of the hierarchy. May import:
 * protocol/*.ts, protocol/contract, protocol/policy, protocol/policy/statements, web/hosts/node, web/hosts/service, node:.
 * Imported by cli and tests.
 */
export { type AuditFile, openAuditFile, verifyAuditFile } from "./audit-file.ts";
export { type Sidecar, type SidecarOptions, startSidecar } from "./sidecar.ts";
