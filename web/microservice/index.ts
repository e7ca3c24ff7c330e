/**
 * The cryptographic microservice: instance keys, key ring, seal and open. Host-neutral; what it needs of its host comes
 * in as parameters. This is the measured code, so every import counts. May import: protocol/*.ts, protocol/contract,
 * protocol/envelope, protocol/keys, protocol/operations, protocol/pki, protocol/policy, protocol/port, idb. Imported by web/hosts.
 */
export { createPortClient, type PortClient, servePort } from "#protocol/port/index.ts";
export type { Attested, Attester } from "./credentials.ts";
export { type Crypto, captureCrypto } from "./crypto.ts";
export type { SigningDevice, UnwrappingDevice } from "./device.ts";
export { unwrapEnveloped } from "./enveloped.ts";
export type { HostKeys, WrappingPair } from "./keys.ts";
export {
  type AppKeyStore,
  type Authorities,
  restAuthorities,
  type Step,
  type Watch,
} from "./ladder/index.ts";
export { memoryStore } from "./memory-store.ts";
export { createMicroservice, type Microservice, type MicroserviceOptions } from "./microservice.ts";
export type { PasskeySecret } from "./passkey-keys.ts";
export { browserPeers, type Ended, type Peers } from "./peers.ts";
export { type KeyServer, restKeyServer } from "./presentation.ts";
export { type Registration, restRegistration } from "./registration.ts";
export { settleSessions } from "./sessions.ts";
export { openStore } from "./store.idb.ts";
export type { AppKeyCopy, InstanceRecord, LoadedKeyRecord, Store } from "./store.ts";
