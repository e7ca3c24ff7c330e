/**
 * web/hosts/node: the microservice inside a Node process, as a dependency (M15), or as a process of its own (`launch`). It enrols again in each process and
 * keeps nothing on disk, unless an application server has its app-specific key kept, encrypted. May import:
 * protocol/*.ts, protocol/keys, protocol/pki, protocol/port, types of protocol/policy, files, web/hosts/service, web/microservice, node:. Imported by cli,
 * web/hosts/sidecar and apps (`@coffer/kit/microservice/node`).
 */
export { createPortClient, type PortClient } from "#protocol/port/index.ts";
export type { HostKeys, SigningDevice, UnwrappingDevice } from "../../microservice/index.ts";
export { memoryStore } from "../../microservice/index.ts";
export {
  type AppKey,
  type AppKeyPlace,
  appKeyFile,
  keepAppKey,
  type NextAppKey,
  openAppKey,
  type RotatingPlace,
} from "./app-key.ts";
export { named, serviceFetch } from "./fetch.ts";
export type { KeyLimits } from "./key-limits.ts";
export { type Launched, type LaunchOptions, launch } from "./launch.ts";
export { type Listening, listen, type Place, type TlsIdentity } from "./listen.ts";
export { type NodeMicroserviceOptions, startMicroservice } from "./microservice.ts";
export { type ServiceOptions, send, serveMicroservice } from "./service.ts";
export { keepSymmetricKey, type SymmetricKeyPlace, symmetricKeyFile } from "./symmetric-key.ts";
