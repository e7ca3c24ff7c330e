/** The operations of the port: parameters and results, as types and as exact shapes. */
import {
  blob,
  bytes,
  list,
  literal,
  nullable,
  object,
  record,
  type Shape,
  text,
  truth,
  whole,
} from "./shape.ts";

/** The version that this code speaks. A hello lists the versions of the caller; the answer names the chosen one. */
export const PORT_VERSION = 1;

/** Compact JWS, at most 8 KiB (EDK, receipt, grant-like texts). */
const jws = text(8192, /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/);
const base64url = (limit: number) => text(limit, /^[A-Za-z0-9_-]+$/);

/** The authenticated but public context of a document: tenant, account, document, purpose. */
export type EncryptionContext = Record<string, string>;
const context = record(16, 1024);

/**
 * Proof of possession of a certificate's key, for mutual authentication (M14). `type` names the scheme, `value` is its
 * base64url text. Version 1 of the microservice offers none and ignores what it does not know.
 */
export type Proof = { type: string; value: string };
const proof: Shape<Proof> = object({ type: text(64), value: text(16384) });

/** What a microservice tells of its enrolment. `notAfter` in ISO 8601; certificates in base64url DER. */
export type InstanceDescription = {
  id: string;
  custodian: string;
  wrappingCertificate: string;
  notAfter: string;
  method: string;
};
const instance: Shape<InstanceDescription> = object({
  id: text(128),
  custodian: text(1024),
  wrappingCertificate: base64url(8192),
  notAfter: text(64),
  method: text(32),
});

export type HelloParams = { versions: number[]; custodian: string; proof?: Proof };
/** `measurement`: SHA-384 of the running bundle, as integrity metadata `sha384-<base64>`; `instance`: null until enrolled (or expired). */
export type HelloResult = {
  version: number;
  measurement: string;
  instance: InstanceDescription | null;
  proof?: Proof;
};

/** A data key rewrapped to this instance (M8): EDK and receipt are compact JWS, `wrappedKey` base64url. */
export type LoadParams = { edk: string; wrappedKey: string; receipt: string };
export type LoadResult = { keyId: string; keyVersion: number };

/** What a document's header says, NOT yet authenticated: which EDK to load, and the context to compare. */
export type InspectResult = { edk: string; context: EncryptionContext };

/** What can be streamed in. A Blob (or File) passes as a whole by reference; the rest in chunks. */
export type Source = Blob | Uint8Array | ReadableStream<Uint8Array>;

/** Parameters (coming into the microservice) and results (going out) of the calls. */
export const OPERATIONS = {
  hello: {
    params: object(
      { versions: list(whole(1, 65535), 16), custodian: text(1024) },
      { proof },
    ) as Shape<HelloParams>,
    result: object(
      { version: literal(PORT_VERSION), measurement: text(128), instance: nullable(instance) },
      { proof },
    ) as Shape<HelloResult>,
  },
  enrol: { params: object({ grant: base64url(256) }), result: instance },
  load: {
    params: object({ edk: jws, wrappedKey: base64url(2048), receipt: jws }) as Shape<LoadParams>,
    result: object({ keyId: text(128), keyVersion: whole(1, 2 ** 31) }) as Shape<LoadResult>,
  },
  /** Ends all instances of the custodian's origin: keys, certificates and all keys wrapped to them are deleted here. */
  forget: { params: object({}), result: object({}) },
  has: { params: object({ edk: jws }), result: object({ loaded: truth }) },
  inspect: {
    params: object({ header: bytes(65536) }),
    result: object({ edk: jws, context }) as Shape<InspectResult>,
  },
  /** Streams: `input` is there when the source is a Blob; otherwise chunks follow. They answer by chunks and an end. */
  seal: { params: object({ edk: jws, context }, { input: blob }), result: object({}) },
  open: { params: object({ context }, { input: blob }), result: object({}) },
} as const;

export type Operation = keyof typeof OPERATIONS;
export type Params<O extends Operation> = ReturnType<(typeof OPERATIONS)[O]["params"]>;
export type Result<O extends Operation> = ReturnType<(typeof OPERATIONS)[O]["result"]>;
