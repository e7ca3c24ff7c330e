/**
 * The HSM emulator: a KMIP server with a release policy, its store, its listeners and a development PKI.
 * May import: protocol/evidence, emulator/hsm/store, emulator/hsm/identity, emulator/hsm/server, types of
 * emulator/hsm/policy, types of emulator/hsm/log.ts.
 * Its rooms import those before them only: crypto, store, policy, identity, operations, server; tests also have testing.
 * May be imported by: cli, test, bench (and never by edge or web, which speak KMIP to it).
 *
 * @example
 * const pki = await ensurePki(".coffer/pki");
 * const hsm = await startHsm({ dir: ".coffer/hsm", pki, ttlvPort: 0, httpsPort: 0 });
 */

export { encodeBase32 } from "./identity/one-time-password.ts";
export { hashPassword, MAX_PASSWORD } from "./identity/password-hash.ts";
export {
  ensurePki,
  issueClient,
  type KeyAndCertificate,
  type Pki,
} from "./identity/pki.ts";
export { DEVICE_FIELDS, type Device, type Principal, principalOf } from "./identity/principals.ts";
export { formatPrincipals, parsePrincipals } from "./identity/principals-file.ts";
export type { LogLine } from "./log.ts";
export type { OperationPolicy } from "./policy/operation-policy.ts";
export { parsePolicies } from "./server/policies-file.ts";
export { type Hsm, type HsmMessage, type HsmOptions, startHsm } from "./server/server.ts";
export type { ManagedObject } from "./store/managed-object.ts";
export { secretBytes } from "./store/material.ts";
export { ObjectStore } from "./store/store.ts";
