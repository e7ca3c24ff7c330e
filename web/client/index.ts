/**
 * web/client: a custodian, host-neutral. Signs in, keeps the ciphertext, and talks to the microservice through a message
 * port; what hosts do differently comes in as a `Host`. Compiles without the DOM's types (web/client/tsconfig.json). May
 * import: protocol/*.ts, protocol/contract, protocol/envelope, types of protocol/keys/algorithm.ts, protocol/keys/loading, protocol/operations,
 * protocol/pki, protocol/port. Imported by web/browser and cli.
 */

export { CofferError, type ErrorCode } from "#protocol/error.ts";
export type { TenantRole } from "#protocol/roles.ts";
export type {
  AccountState,
  AuditPage,
  DataKeyVersion,
  DeletionRequest,
  Instance,
  KeptKey,
  Passkey,
  RotateDataKeyOptions,
} from "./accounts.ts";
export type { AccountQuota, Group, RoleHolder, Standing, UserInstance, UserKey } from "./administration.ts";
export { Coffer, type CofferEvent, type ConnectOptions } from "./coffer.ts";
export type { DocumentKey } from "./document-key.ts";
export type { Document, ListOptions } from "./document-list.ts";
export type {
  OpenDocument,
  OpenOptions,
  RemoveOptions,
  SealOptions,
  Source,
  Unfinished,
} from "./documents.ts";
export { isAbort, messageOf } from "./error.ts";
export type { Host } from "./host.ts";
export type { ListStore } from "./kept-list.ts";
export type { AccountMember } from "./members.ts";
export type { Metadata, Series } from "./metadata.ts";
export type { MicroserviceState } from "./microservice.ts";
export type { Progress, ProgressListener } from "./progress.ts";
export type { Queued, UploadQueue } from "./queue.ts";
export type { RangedDocument } from "./ranged.ts";
export type { ReEncryptAllOptions, ReEncryptProgress } from "./re-encryption.ts";
export type { Rotation, RotationProgress } from "./rotation.ts";
export type { Seed, SeedOptions } from "./seed.ts";
export { CustodianSession } from "./session.ts";
export type {
  Party,
  ReceivedDocument,
  ReceivedOptions,
  Share,
  ShareOptions,
  Sharing,
} from "./sharing.ts";
export { SHORT_BYTES } from "./short.ts";
export {
  type Account,
  type Identity,
  memorySignInStore,
  type PendingSignIn,
  type SignIn,
  type SignInStore,
} from "./sign-in.ts";
export type { SignInHost } from "./sign-in-host.ts";
export type { Held, OperationName, Step } from "./steps.ts";
export { QUEUE_BYTES, QUEUE_COUNT, type UploadStore, type WaitingUpload } from "./upload-store.ts";
export type { Vault } from "./vault.ts";
export type { SaveOptions, Versions } from "./versions.ts";
