/**
 * web/custodian: what an app imports. Signs in, keeps the ciphertext, and talks to the microservice through a message port.
 * It may import protocol/ (contract, port) and idb; never web/microservice. Imported by web/page and by apps.
 */

export { CofferError, type ErrorCode } from "#protocol/error.ts";
export { Coffer, type CofferEvent, type ConnectOptions, connect } from "./coffer.ts";
export type { Document, ListOptions, OpenDocument, OpenOptions, SealOptions, Source } from "./documents.ts";
export { isAbort, messageOf } from "./error.ts";
export type { Metadata } from "./metadata.ts";
export type { MicroserviceState } from "./microservice.ts";
export type { Progress, ProgressListener } from "./progress.ts";
export type { Account, Identity } from "./store.ts";
