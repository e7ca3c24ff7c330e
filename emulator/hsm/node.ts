/**
 * The package's entry `./kmip/node`: the KMIP client over TLS, and the server with its PKI. Needs Node 24 (node:sqlite).
 * May import: this folder. May be imported by: users of the package; inside of it, use `index.ts`.
 */
export { type ClientHashAlgorithm, hashedPassword } from "./client-hash.ts";
export { ENCLAVE_EVIDENCE } from "./evidence.ts";
export {
  type ConnectedKmipClient,
  connectKmip,
  type KmipConnectOptions,
} from "./kmip-connect.ts";
export { ensurePki, issueClient, type KeyAndCertificate, type Pki } from "./pki.ts";
export { parsePolicies } from "./policies-file.ts";
export type { OperationPolicy } from "./policy/operation-policy.ts";
export { type Device, type Principal, principalOf } from "./principals.ts";
export { formatPrincipals, parsePrincipals } from "./principals-file.ts";
export { type Hsm, type HsmOptions, startHsm } from "./server.ts";
export { type TlsConnectionOptions, type TlsServer, TransportError } from "./tls-connection.ts";
export {
  type TlsPoolOptions,
  type TlsTransport,
  type TlsTransportOptions,
  tlsPool,
  tlsTransport,
} from "./tls-transport.ts";
