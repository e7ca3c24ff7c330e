/**
 * edge/datastore: ciphertext, sealed metadata and who owns them, an object for each account. R2 holds the bytes under ids alone; no name of a file
 * is ever here. May import: protocol/*.ts, protocol/contract, edge/*.ts, cloudflare:workers. It has no binding to the
 * KMS (W9). Reached through `Datastore` by the gateway, through `DatastoreForIam` by the IAM.
 */
export { DatastoreAccountObject } from "./account.ts";
export { Datastore } from "./entrypoint.ts";
export { DatastoreForIam } from "./for-iam.ts";
export { DatastoreObject } from "./object.ts";
export type { Content } from "./types.ts";
