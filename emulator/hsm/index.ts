/**
 * The HSM emulator: a KMIP server with a release policy, its store, its listeners, its TLS client transport and a
 * development PKI. May import: protocol/, files/, node: and @peculiar/x509.
 * May be imported by: cli, test, bench (and never by edge or web, which speak KMIP to it).
 *
 * @example
 * const pki = await ensurePki(".coffer/pki");
 * const hsm = await startHsm({ dir: ".coffer/hsm", pki, ttlvPort: 0, httpsPort: 0 });
 */

export { type ConnectedKmipClient, connectKmip, type KmipConnectOptions } from "./kmip-connect.ts";
export type { LogLine } from "./log.ts";
export type { ManagedObject } from "./managed-object.ts";
export { secretBytes } from "./material.ts";
export { encodeBase32 } from "./one-time-password.ts";
export { hashPassword, LONGEST_PASSWORD } from "./password-hash.ts";
export {
  ensurePki,
  issueClient,
  type KeyAndCertificate,
  type Pki,
} from "./pki.ts";
export { parsePolicies } from "./policies-file.ts";
export type { OperationPolicy } from "./policy/operation-policy.ts";
export { DEVICE_FIELDS, type Device, type Principal, principalOf } from "./principals.ts";
export { formatPrincipals, parsePrincipals } from "./principals-file.ts";
export { type Hsm, type HsmMessage, type HsmOptions, startHsm } from "./server.ts";
export { ObjectStore } from "./store.ts";
export { type TlsConnectionOptions, type TlsServer, TransportError } from "./tls-connection.ts";
export {
  type TlsPoolOptions,
  type TlsTransport,
  type TlsTransportOptions,
  tlsPool,
  tlsTransport,
} from "./tls-transport.ts";
