/** Data keys: made (M6), rewrapped to an instance (M8), taken out. */

import { MAX_JWS_LENGTH } from "../keys/length.ts";
import { list, literal, object, open, text, whole } from "../shape.ts";
import { identifier, jws, uuid } from "./names.ts";
import type { AnswerOf, BodyOf, Route } from "./route.ts";

/** Maximum of data keys that one request may ask for. */
const MAX_KEYS = 16;
/** Maximum of documents that one order names. */
const MAX_DOCUMENTS = 1000;

export const makeDataKeys = {
  site: "app",
  method: "POST",
  path: "/kms/data-keys",
  authentication: "token",
  request: {
    json: object({ account: text(1, 64), count: whole(1, MAX_KEYS), purpose: literal("document") }),
  },
  answer: { status: 201, json: open({ edks: list(jws, 1, MAX_KEYS) }) },
  problems: ["forbidden", "hsm-refused"],
} as const satisfies Route;

export type DataKeysRequest = BodyOf<typeof makeDataKeys>;

export const rewrapKey = {
  site: "app",
  method: "POST",
  path: "/kms/rewrap",
  authentication: "token",
  /** `certificate`: of the instance's wrapping key, DER. What is no EDK or no certificate has a problem of its own. */
  request: { json: object({ edk: text(0, MAX_JWS_LENGTH), certificate: text(0, 8192) }) },
  /** `wrappedKey`: RSA-OAEP (SHA-256) of the 32 key bytes, base64url. */
  answer: { status: 200, json: open({ wrappedKey: text(1, 2048, /^[\w-]*$/), receipt: jws }) },
  problems: [
    "invalid-edk",
    "invalid-certificate",
    "forbidden",
    "foreign-custodian",
    "not-recipient",
    "conflict",
    "hsm-refused",
  ],
} as const satisfies Route;

export type RewrapRequest = BodyOf<typeof rewrapKey>;
export type Rewrapped = AnswerOf<typeof rewrapKey>;

/** An order to take documents out of Coffer's keeping: for the audit log. */
export const orderExport = {
  site: "app",
  method: "POST",
  path: "/kms/exports",
  authentication: "token",
  request: { json: object({ account: text(1, 64), documents: list(uuid, 1, MAX_DOCUMENTS) }) },
  answer: { status: 201, json: open({ order: identifier }) },
  problems: ["forbidden"],
} as const satisfies Route;
export type ExportRequest = BodyOf<typeof orderExport>;
