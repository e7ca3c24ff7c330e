/**
 * The KMIP client's TLS transport for Node, with a pool of connections; the package's entry `./kmip/node`.
 * May import: protocol/*.ts, protocol/kmip, node:.
 * May be imported by: users of the package; emulator/hsm (which cuts its connections into messages alike), cli, test, bench.
 */

export { type ClientHashAlgorithm, hashedPassword } from "./client-hash.ts";
export { type ConnectedKmipClient, connectKmip, type KmipConnectOptions } from "./kmip-connect.ts";
export { type TlsConnectionOptions, type TlsServer, TransportError } from "./tls-connection.ts";
export {
  type TlsPoolOptions,
  type TlsTransport,
  type TlsTransportOptions,
  tlsPool,
  tlsTransport,
} from "./tls-transport.ts";
