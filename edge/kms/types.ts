/** What crosses the KMS's RPC. */

import { MAX_JWS_LENGTH } from "#protocol/keys/index.ts";
import { list, literal, type Of, object, text, whole } from "#protocol/shape.ts";

/** Most data keys that one request may ask for. */
const MAX_KEYS = 16;
/** A certificate of an instance is about 900 bytes; base64url. */
const MAX_CERTIFICATE_LENGTH = 8192;

export const dataKeysRequest = object({
  account: text(1, 64),
  count: whole(1, MAX_KEYS),
  purpose: literal("document"),
});
export type DataKeysRequest = Of<typeof dataKeysRequest>;

export const rewrapRequest = object({
  /** Compact JWS (protocol/keys). */
  edk: text(0, MAX_JWS_LENGTH),
  /** Wrapping certificate of the instance, base64url DER. */
  certificate: text(0, MAX_CERTIFICATE_LENGTH),
});
export type RewrapRequest = Of<typeof rewrapRequest>;

const HEX = "[0-9A-Fa-f]";
const uuid = text(36, 36, new RegExp(`^${HEX}{8}(-${HEX}{4}){3}-${HEX}{12}$`));
/** Most documents that one order names. */
const MAX_DOCUMENTS = 1000;

/** An order to take documents out of Coffer's keeping: for the audit log. */
export const exportRequest = object({
  account: text(1, 64),
  documents: list(uuid, 1, MAX_DOCUMENTS),
});
export type ExportRequest = Of<typeof exportRequest>;

/** `wrappedKey`: RSA-OAEP (SHA-256) of the 32 key bytes, base64url. `receipt`: compact JWS (protocol/keys). */
export type Rewrapped = { wrappedKey: string; receipt: string };
