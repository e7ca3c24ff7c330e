/** What crosses the KMS's RPC. */

import * as v from "valibot";
import { MAX_JWS_LENGTH } from "#protocol/keys/index.ts";

/** Most data keys that one request may ask for. */
const MOST_KEYS = 16;
/** A certificate of an instance is about 900 bytes; base64url. */
const MAX_CERTIFICATE_LENGTH = 8192;

export const dataKeysRequest = v.strictObject({
  account: v.pipe(v.string(), v.minLength(1), v.maxLength(64)),
  count: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(MOST_KEYS)),
  purpose: v.literal("document"),
});
export type DataKeysRequest = v.InferOutput<typeof dataKeysRequest>;

export const rewrapRequest = v.strictObject({
  /** Compact JWS (protocol/keys). */
  edk: v.pipe(v.string(), v.maxLength(MAX_JWS_LENGTH)),
  /** Wrapping certificate of the instance, base64url DER. */
  certificate: v.pipe(v.string(), v.maxLength(MAX_CERTIFICATE_LENGTH)),
});
export type RewrapRequest = v.InferOutput<typeof rewrapRequest>;

/** Most documents that one order names. */
const MOST_DOCUMENTS = 1000;

/** An order to take documents out of Coffer's keeping: for the audit log. */
export const exportRequest = v.strictObject({
  account: v.pipe(v.string(), v.minLength(1), v.maxLength(64)),
  documents: v.pipe(v.array(v.pipe(v.string(), v.uuid())), v.minLength(1), v.maxLength(MOST_DOCUMENTS)),
});
export type ExportRequest = v.InferOutput<typeof exportRequest>;

/** `wrappedKey`: RSA-OAEP (SHA-256) of the 32 key bytes, base64url. `receipt`: compact JWS (protocol/keys). */
export type Rewrapped = { wrappedKey: string; receipt: string };
