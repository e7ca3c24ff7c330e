/**
 * The package's entry `./hsm`: the server with its PKI. Needs Node 24 (node:sqlite).
 * May import: this folder. May be imported by: users of the package; inside of it, use `index.ts`.
 */

export { ENCLAVE_EVIDENCE } from "#protocol/evidence/index.ts";

export { ensurePki, issueClient, type KeyAndCertificate, type Pki } from "./identity/pki.ts";
export { type Device, type Principal, principalOf } from "./identity/principals.ts";
export { formatPrincipals, parsePrincipals } from "./identity/principals-file.ts";
export type { OperationPolicy } from "./policy/operation-policy.ts";
export { parsePolicies } from "./server/policies-file.ts";
export { type Hsm, type HsmOptions, startHsm } from "./server/server.ts";
