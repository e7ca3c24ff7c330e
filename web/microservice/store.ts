/** What an instance keeps over a reload: its keys (as handles), certificates, and wrapped data keys. Versioned. */

import { encodeBase64url } from "#protocol/base64url.ts";
import type { Load } from "#protocol/keys/index.ts";
import type { VersionRow } from "#protocol/version-index.ts";
import type { IdentityKey, WrappingKey } from "./device.ts";
import type { CertifiedHybrid } from "./hybrid.ts";
import type { SealedKeys } from "./passkey-keys.ts";

/** Version of both records; a record of another version is not read (the instance enrols again). */
export const STORE_VERSION = 2;

/** A symmetric app-specific key as it is kept: RSA-OAEP (SHA-256) to the instance's wrapping key, 384 or 512 bytes. */
export type AppKeyCopy = { id: string; wrapped: Uint8Array<ArrayBuffer> };

/** One instance, bound to one custodian. Keyed by [origin, custodian]. */
export type InstanceRecord = {
  version: typeof STORE_VERSION;
  /** Origin and Distinguished Name of the one custodian that it serves (M13). */
  origin: string;
  custodian: string;
  /** The vault's session that it was enrolled in; none in a record of an earlier release. */
  session?: string;
  id: string;
  method: string;
  /** Private keys, not extractable, or a device that has them: ECDSA P-256 with `sign`, RSA-OAEP-3072 with `unwrapKey`. */
  identityKey: IdentityKey;
  wrappingKey: WrappingKey;
  /** The symmetric app-specific key, as it is encrypted to the wrapping key; none where the tenant has none, or the host keeps it. */
  appKey?: AppKeyCopy;
  /** Of a hybrid recipient; none where the engine or the HSM has no ML-KEM. */
  hybrid?: CertifiedHybrid;
  /** In the place of the private keys, where a passkey keeps them (M4): see `atRest`. */
  sealed?: SealedKeys;
  /** AES-GCM, not extractable: the local master key (M10); none in a record of an earlier release. */
  localKey?: CryptoKey;
  /** DER: identity, wrapping, then the chain up to and including the root. */
  identityCertificate: Uint8Array<ArrayBuffer>;
  wrappingCertificate: Uint8Array<ArrayBuffer>;
  /** Its id before its first renewal: what is bound to an instance is bound to this one, since its keys stay the same. */
  line?: string;
  /** The wrapping certificate before its last renewal, for the same key: what was asked for under it is still on its way, and ends with it. */
  former?: Uint8Array<ArrayBuffer>;
  chain: Uint8Array<ArrayBuffer>[];
  /** Root-signed trust list, compact JWS. */
  trust: string;
  /** End of its certificates and trust list, whichever is first; milliseconds since 1970. */
  notAfter: number;
};

/** An instance whose private keys are kept under a passkey, as a store has it: none of them is in it. */
export type LockedRecord = Omit<InstanceRecord, "identityKey" | "wrappingKey" | "hybrid" | "sealed"> & {
  sealed: SealedKeys;
  identityKey?: undefined;
  wrappingKey?: undefined;
  hybrid?: Pick<CertifiedHybrid, "certificates">;
};
export type StoredInstance = InstanceRecord | LockedRecord;

/** As it is put into a store: where a passkey keeps the private keys, without them. */
export function atRest(record: InstanceRecord): StoredInstance {
  if (!record.sealed) return record;
  const { identityKey: _, wrappingKey: __, hybrid, sealed, ...rest } = record;
  return { ...rest, sealed, ...(hybrid && { hybrid: { certificates: hybrid.certificates } }) };
}

export function isLocked(record: StoredInstance): record is LockedRecord {
  return record.identityKey === undefined;
}

/** Whom keys are loaded for, over all renewals. */
export function lineOf({ line, id }: Pick<InstanceRecord, "line" | "id">): string {
  return line ?? id;
}

/** A data key as it was loaded: still wrapped, and verified again at each use. Keyed by [instance, edkDigest]. */
export type LoadedKeyRecord = {
  version: typeof STORE_VERSION;
  /** `lineOf` the instance. */
  instance: string;
  /** SHA-256 of the EDK in its form with the lower s, base64url; earlier code had it of the form that it came in. */
  edkDigest: string;
  /** When it was loaded, milliseconds since 1970. */
  loaded: number;
} & (Load | EarlierLoad);

/** As earlier code kept the one way that there was. */
type EarlierLoad = { way?: undefined; edk: string; wrappedKey: Uint8Array<ArrayBuffer>; receipt: string };

/** What was loaded, to load it again. */
export function loadOf(record: LoadedKeyRecord): Load {
  if (record.way !== undefined) return record;
  const { edk, wrappedKey, receipt } = record;
  return { way: "rewrap", edk, wrappedKey: encodeBase64url(wrappedKey), receipt };
}

/**
 * A message that is being sealed and may be gone on with after a reload, or by another instance of the same session: its id, made
 * once. The tags of its frames are kept beside it, under the message id. Keyed by [origin, custodian, context].
 */
export type MessageRecord = {
  origin: string;
  custodian: string;
  session?: string;
  /** What it is bound to: one message at a time under one context. */
  context: string;
  messageId: Uint8Array<ArrayBuffer>;
  /** Under a data key that is a pair: the message's secret, wrapped as its header has it. */
  secret?: Uint8Array<ArrayBuffer> | undefined;
  /** Milliseconds since 1970. */
  begun: number;
};
export type MessageName = Pick<MessageRecord, "origin" | "custodian" | "context">;

/** Whose version index it is. It goes with the instances of its custodian. */
export type VersionsName = { origin: string; custodian: string; account: string };
/** Rows of one bucket of it (`bucketOf`), by document, and their hash; that is empty until it is made. */
export type VersionBucket = { hash: string; rows: Map<string, VersionRow> };
/**
 * The version index of an account as it was verified, so that after a reload what has changed is asked for and no more. To be kept it has
 * those buckets alone that have changed since the sequence `since`; all where that is 0.
 */
export type KeptVersions = { sequence: number; founded: boolean; buckets: Map<number, VersionBucket> };

export type Store = {
  instance(origin: string, custodian: string): Promise<StoredInstance | undefined>;
  /** Puts this instance in place of an earlier one of the same custodian, and deletes the keys wrapped to that one, unless it is a renewal of it. */
  replaceInstance(record: StoredInstance): Promise<void>;
  /** Keeps it in the record of its instance, as long as that is there. */
  keepAppKey(record: InstanceRecord, appKey: AppKeyCopy): Promise<void>;
  /** Deletes all instances of this origin, the keys wrapped to them, and the messages that they were sealing. */
  deleteInstances(origin: string): Promise<void>;
  /**
   * Deletes the instances of every origin that have run out at `now` (milliseconds since 1970) or are not of the session
   * `live`, the keys wrapped to none that is left, and messages of another session or begun too long ago. `live`: null when there
   * is no session, undefined when nobody could be asked.
   */
  deleteEnded(ended: { live: string | null | undefined; now: number }): Promise<void>;
  loadedKey(instance: string, edkDigest: string): Promise<LoadedKeyRecord | undefined>;
  /** Keeps wrapped keys of one instance while that is kept, all of them or none; its oldest beyond `MAX_LOADED_KEYS` are dropped. */
  putLoadedKeys(records: readonly LoadedKeyRecord[]): Promise<void>;
  deleteLoadedKey(instance: string, edkDigest: string): Promise<void>;
  versions(of: VersionsName): Promise<KeptVersions | undefined>;
  /**
   * Keeps it while there is an instance of its custodian, unless a later one is kept. False where what is kept is of before `since`, so that
   * all has to be given.
   */
  keepVersions(of: VersionsName & KeptVersions & { since: number }): Promise<boolean>;
  deleteVersions(of: VersionsName): Promise<void>;
  /**
   * Highest serial that was ever kept under a name, 0 when there was none: of a trust list by its root (base64url SPKI), of a version index
   * by origin, tenant, account and client.
   */
  trustSerial(root: string): Promise<number>;
  /** Keeps a serial unless a higher one is kept; for good, beyond the instances. */
  keepTrustSerial(root: string, serial: number): Promise<void>;
  /** The message that is kept under this name, or this one, which is from now on. The oldest beyond `MAX_MESSAGES` go. */
  keepMessage(record: MessageRecord): Promise<Pick<MessageRecord, "messageId" | "secret">>;
  /** As `KeptMessage` of protocol/envelope says; false too where the message is not kept any more. */
  settle(
    name: MessageName,
    messageId: Uint8Array,
    first: number,
    tags: Uint8Array<ArrayBuffer>,
  ): Promise<boolean>;
  /** The messages of this custodian. */
  messages(of: Pick<MessageRecord, "origin" | "custodian">): Promise<MessageRecord[]>;
  deleteMessage(name: MessageName): Promise<void>;
};

export const MAX_LOADED_KEYS = 1000;
/** Of all origins: as many as a datastore has open for an account, and some. */
export const MAX_MESSAGES = 100;
/** Longer than a datastore keeps an upload that nothing happens to. Milliseconds. */
export const MESSAGE_LIFE = 7 * 24 * 3600_000;
