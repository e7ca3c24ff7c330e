/**
 * The hosts of a microservice beside a real deployment: processes, sockets and certificates that their tests need. May import
 * everything. Imported by tests and bench.
 */
export { type Authority, makeAuthority } from "./authority.ts";
export { contextOf, custodianOf, handOver, type NodeCustodian, newKeyAt, orderKey } from "./custodian.ts";
export { callService, type ServiceClient, serviceClient } from "./service-client.ts";
