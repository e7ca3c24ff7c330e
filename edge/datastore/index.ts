/**
 * edge/datastore: ciphertext, sealed metadata and who owns them, an object for each account. R2 holds the bytes under ids alone; no name of a file
 * is ever here. May import: protocol/*.ts, protocol/contract, edge/*.ts, cloudflare:workers. It has no binding to the
 * KMS (W9). Reached through the entrypoint `Datastore` alone, by the gateway
 * and the IAM.
 */
export { DatastoreAccountObject } from "./account.ts";
export { Datastore } from "./entrypoint.ts";
export { DatastoreObject } from "./object.ts";
export type { ByteRange, Content } from "./types.ts";
