/** The operations of the port: parameters and results, as types and as exact shapes. */
import { enrol } from "../enrolment.ts";
import { keyOrEdk, MAX_JWS_LENGTH } from "../keys/length.ts";
import { entrusted, entrusting, handed } from "../keys/loading/index.ts";
import { OPERATIONS } from "../operations/index.ts";
import {
  blob,
  boolean,
  bytes,
  compactJws,
  list,
  literal,
  nullable,
  type Of,
  object,
  record,
  text,
  whole,
} from "../shape.ts";
import { MAX_ROWS, MAX_ROWS_READ, versionRow } from "../version-index.ts";
import { type InstanceDescription, instance } from "./instance.ts";

export type { InstanceDescription };

/** The version that this code speaks. A hello lists the versions of the caller; the answer names the chosen one. */
export const PORT_VERSION = 1;

/** An EDK. */
const jws = compactJws(MAX_JWS_LENGTH);

/** The authenticated but public context of a document: tenant, account, document, purpose. */
export type EncryptionContext = Record<string, string>;
const context = record(16, 1024);

/** Of 32 bytes, and of a signature of 64, in base64url. */
const challenge = text(43, 43, /^[\w-]+$/);
const signature = text(86, 86, /^[\w-]+$/);
const certificate = text(1, 8192, /^[\w-]+$/);

export type HelloParams = { versions: number[]; custodian: string };
/** `measurement`: SHA-384 of the running bundle, as integrity metadata `sha384-<base64>`; `instance`: null until enrolled (or expired). */
export type HelloResult = {
  version: number;
  measurement: string;
  instance: InstanceDescription | null;
  /** For `authenticate`, good once, until the next hello: where a custodian has to prove who it is (M14). */
  challenge?: string;
  /** Where it finds itself (M4): in an enclave of hardware or of the emulator, or in none. Its certificate says what was shown. */
  environment?: "software" | "emulated" | "hardware";
  /** There is one, whose keys are under a passkey (M4): `unlock` asks the person for it. */
  locked?: boolean;
};

/** `others`: where several were loaded, all but the first. */
export type LoadResult = KeyVersion & { others?: KeyVersion[] };
export type KeyVersion = { keyId: string; keyVersion: number };
const named = object({ keyId: text(0, 128), keyVersion: whole(1, 2 ** 31) });

/** What a document's header says, NOT yet authenticated: which EDK to load, and the context to compare. */
export type InspectResult = { edk: string; context: EncryptionContext };

/** Keys of one call that the KMS retains, in pages (M11). */
const MAX_LOADED = 1000;

/** Messages of one `openAll`, and bytes of each: more than the longest EDK. */
export const MAX_SHORT_MESSAGES = 100;
export const MAX_SHORT_LENGTH = 16_384;

/** What can be streamed in. A Blob (or File) passes as a whole by reference; the rest in chunks. */
export type Source = Blob | Uint8Array | ReadableStream<Uint8Array>;

/**
 * A part of a document's plaintext, `length` bytes from `offset`. The input is then an excerpt of the sealed document, which is
 * `size` bytes long: its header, and the frames that hold the part.
 */
const excerpt = object({ offset: whole(0), length: whole(0), size: whole(0) });

const account = text(1, 64);
const name = text(0, 128);
const held = object({ what: name, key: name, left: whole(0) }, { account, wrapping: name, under: name });
const asked = object({ what: text(0, 256), at: whole(0), ms: whole(0), timing: text(0, 4096) });
const documentName = text(1, 64);
const ids = list(documentName, 0, MAX_ROWS);
const sha256 = text(43, 43, /^[\w-]+$/);
/** What is served of a document: digests of its content's header and of its metadata message, SHA-256, base64url, as far as they are known. */
const served = object({ document: documentName }, { headerDigest: sha256, metadataDigest: sha256 });

/** Parameters (coming into the microservice) and results (going out) of the calls. */
export const PORT_OPERATIONS = {
  ...OPERATIONS,
  hello: {
    params: object({ versions: list(whole(1, 65535), 0, 16), custodian: text(0, 1024) }),
    result: object(
      { version: literal(PORT_VERSION), measurement: text(0, 128), instance: nullable(instance) },
      { challenge, environment: literal("software", "emulated", "hardware"), locked: boolean },
    ),
  },
  /**
   * Asks the person for the passkey that the instance's keys are kept under (M4), for as long as that takes. Whether they are there now; if not,
   * another instance is to be enrolled. The hello that follows tells which.
   */
  unlock: { params: object({}), result: object({ unlocked: boolean }) },
  enrol: { params: enrol, result: instance },
  /**
   * Custodian and enrolled instance prove to each other that they have the keys of their certificates (M14): both sign
   * `channelProofInput`. `certificate`: of the custodian, `authority` its issuer's; `chain`: the instance's, its own first.
   */
  authenticate: {
    params: object({ challenge, certificate, authority: certificate, proof: signature }),
    result: object({ chain: list(certificate, 1, 4), proof: signature }),
  },
  /**
   * The wrapping certificate, which the custodian shows the KMS (M8). With `attest`, where the instance's platform makes one, a document of
   * this moment that names the key of it (M19).
   */
  certificate: {
    params: object({}, { attest: boolean }),
    result: object({ certificate }, { attestation: text(1, 22_200, /^[\w-]+$/) }),
  },
  load: {
    params: handed,
    result: object(
      { keyId: text(0, 128), keyVersion: whole(1, 2 ** 31) },
      { others: list(named, 1, MAX_LOADED) },
    ),
  },
  /**
   * Loaded keys, encrypted under the instance's local master key, for the custodian to keep; no copy stays (M10). What a later call
   * needs it brings as its `key`. In the order of the EDKs.
   */
  entrust: {
    params: entrusting,
    result: entrusted,
  },
  /** Ends all instances of the custodian's origin: keys, certificates and all keys wrapped to them are deleted here. */
  forget: { params: object({}), result: object({}) },
  has: { params: object({ edk: jws }), result: object({ loaded: boolean }) },
  inspect: {
    params: object({ header: bytes(65536) }),
    result: object({ edk: jws, context }),
  },
  /** Decrypted keys go from memory (W7). What is needed again is unwrapped or fetched again. */
  lock: { params: object({}), result: object({}) },
  /** Keys of an account that will be needed, at level `master`. */
  prefetch: { params: object({ account: text(1, 64) }), result: object({}) },
  /** The next version of an account's data key, made by the microservice; with `key` of the account key itself, at level `master`. */
  renew: {
    params: object({ account: text(1, 64) }, { key: literal("account") }),
    result: object({ keyId: text(0, 128), keyVersion: whole(1, 2 ** 31) }),
  },
  /** Another symmetric app-specific key (W12), whose id it answers; `key-missing` where the instance has none. */
  replaceAppKey: { params: object({}), result: object({ id: text(1, 64) }) },
  /**
   * What it holds and for how long still, milliseconds, and what it has asked the edge for itself since it was asked this last: names and
   * times, no key. Looking counts as no use of a key. `wrapping`: how a data key came here, `under`: how its EDK has it; as their formats name
   * it. `what` of a request: method, path and status of its answer; `timing`: that answer's `Server-Timing`.
   */
  standing: { params: object({}), result: object({ keys: list(held, 0, 2048), asked: list(asked, 0, 32) }) },
  /** The contexts of messages that were sealed with `keep` and can be gone on with here. */
  unfinished: { params: object({}), result: object({ contexts: list(context, 0, 100) }) },
  /** Nobody will go on with it: what is sealed of this context next is a new message. */
  discard: { params: object({ context }), result: object({}) },
  /**
   * Streams: `input` is there when the source is a Blob; otherwise chunks follow. They answer by chunks and an end. At level
   * `master` the microservice finds the key itself, and `edk` is left out. `key`: brought for a document whose header names it.
   * With `keep` a message can be gone on with, from its beginning, after a reload too: the same call gives the same bytes, or
   * `source-changed` before any that would be others.
   */
  seal: { params: object({ context }, { edk: keyOrEdk, input: blob, keep: boolean }), result: object({}) },
  open: { params: object({ context }, { input: blob, excerpt, key: keyOrEdk }), result: object({}) },
  /**
   * The version index of an account: how far it is known here. `rows`: a page of what has changed since; with the signed `head`, they are all,
   * and count from then on. `again`: of all rows. Errors: `index-refused` for what is not what the KMS has signed: then nothing of it
   * is known any more; `index-superseded` for an earlier head than was ever seen here.
   */
  versions: {
    params: object({ account }, { rows: list(versionRow, 0, MAX_ROWS_READ), again: boolean, head: jws }),
    result: object({ sequence: whole(0), founded: boolean }),
  },
  /**
   * Documents as they are served, held against the index: which are not as it says. `whole`: there are no others, so that those are told
   * as well that are in the index and not here.
   */
  compare: {
    params: object({ account, documents: list(served, 0, MAX_ROWS) }, { whole: boolean }),
    result: object({ hidden: ids, unknown: ids, changed: ids, deleted: ids }),
  },
  /** Short messages, each in one piece, in one call: in their order, null for one that does not open. Their keys must be loaded. */
  openAll: {
    params: object({
      messages: list(object({ context, message: bytes(MAX_SHORT_LENGTH) }), 1, MAX_SHORT_MESSAGES),
    }),
    result: object({ plain: list(nullable(bytes(MAX_SHORT_LENGTH)), 1, MAX_SHORT_MESSAGES) }),
  },
} as const;

export type PortOperation = keyof typeof PORT_OPERATIONS;
export type Params<O extends PortOperation> = Of<(typeof PORT_OPERATIONS)[O]["params"]>;
export type Result<O extends PortOperation> = Of<(typeof PORT_OPERATIONS)[O]["result"]>;
