/**
 * The message-channel protocol between a custodian and a microservice, version 1: calls, and byte streams with credit.
 * May import: protocol/*.ts, protocol/keys/length.ts, protocol/keys/loading, protocol/operations. Imported by web/client (createPortClient),
 * web/hosts (servePort), web/microservice and tests. No CryptoKey passes: both ends check every message, going out and
 * coming in, against an exact shape.
 */
export { createPortClient, type PortCall, type PortClient } from "./client.ts";
export { GarbageNudge } from "./garbage.ts";
export {
  type EncryptionContext,
  type HelloResult,
  type InspectResult,
  type InstanceDescription,
  type LoadResult,
  MAX_SHORT_LENGTH,
  MAX_SHORT_MESSAGES,
  type Params,
  PORT_VERSION,
  type Result,
  type Source,
} from "./operations.ts";
export { type PortHandler, refuseAll, type ServeOptions, servePort } from "./serve.ts";
