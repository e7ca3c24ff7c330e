/**
 * web/browser: what an app's page imports. The client bound to a page: its address, the vault's frame, IndexedDB, locks over
 * all tabs. May import: protocol/*.ts, protocol/contract, web/client, idb. Never web/microservice. Imported by web/page and by apps.
 */

export {
  type Account,
  type AccountMember,
  type AccountQuota,
  type AccountState,
  type AuditPage,
  type Coffer,
  CofferError,
  type CofferEvent,
  type DataKeyVersion,
  type Document,
  type DocumentKey,
  type ErrorCode,
  type Group,
  type Identity,
  type Instance,
  isAbort,
  type ListOptions,
  type Metadata,
  type MicroserviceState,
  messageOf,
  type OpenDocument,
  type OpenOptions,
  type Passkey,
  type Progress,
  type ProgressListener,
  type RangedDocument,
  type ReEncryptProgress,
  type RemoveOptions,
  type RoleHolder,
  type RotateDataKeyOptions,
  type Rotation,
  type RotationProgress,
  type SealOptions,
  type Seed,
  type SeedOptions,
  type Source,
  type Standing,
  type TenantRole,
  type UserInstance,
} from "../client/index.ts";
export { type ConnectOptions, connect } from "./connect.ts";
export { offerPasskey, type PasskeyOutcome } from "./passkey.ts";
