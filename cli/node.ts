/**
 * The kit in Node, `@coffer/kit/node`: a custodian with the microservice in its process, as a person or as an application server that is a client
 * of its own. What it can do with documents and keys is what a page can.
 *
 * @example
 * const client = await connect({ app, vault, rootKey: await readRootKey("coffer-root.pem"), client: { id, key } });
 * const { id } = await client.documents.seal(bytes, client.account(), { name: "report.pdf" });
 */

export { CofferError, codeOf, type ErrorCode } from "#protocol/error.ts";
export type { PortClient } from "#protocol/port/index.ts";
export { memoryUploadStore } from "#web/client/memory-upload-store.ts";
export type { UploadStore } from "#web/client/upload-store.ts";
export {
  type AppKey,
  type AppKeyPlace,
  appKeyFile,
  keepAppKey,
  keepSymmetricKey,
  type NextAppKey,
  openAppKey,
  type RotatingPlace,
  type SymmetricKeyPlace,
  symmetricKeyFile,
} from "#web/hosts/node/index.ts";
export { type Client, type ClientOptions, connect } from "./client.ts";
export { makeRegisteredKey, readRegisteredKey } from "./registered-key.ts";
export { readRootKey } from "./root-key.ts";
export { uploadFolder } from "./upload-folder.ts";
