/** Sharing of documents with other accounts of the tenant: who may open what at the KMS, and what lies where at the datastore. Times: seconds since 1970. */

import { base64url, list, type Of, object, open, seconds, text, whole } from "../shape.ts";
import { documentId, identifier, jws, uuid } from "./names.ts";
import type { AnswerOf, BodyOf, Route } from "./route.ts";

const account = identifier;
const share = uuid;
/** An account, by its name as the IAM has it. */
const party = open({ account: identifier, name: text(0, 256) });

const sharedWith = open({ share, document: documentId, to: party, created: seconds, expires: seconds });
export type SharedWith = Of<typeof sharedWith>;

/**
 * The record by which the account `to` opens this document: `edk` is that of the document, `expires` the end, by default 90 days from now, 366 at
 * most. Shared again with an account, the record before gives way.
 */
export const makeShare = {
  site: "app",
  method: "POST",
  path: "/kms/accounts/{account}/shares",
  authentication: "token",
  parameters: { account },
  request: {
    // What is no EDK has a problem of its own.
    json: object({ document: documentId, to: identifier, edk: text(0, 8192) }, { expires: seconds }),
    limit: 16 << 10,
  },
  answer: { status: 201, json: open({ share, record: jws, expires: seconds, to: party }) },
  problems: [
    ...(["forbidden", "not-found", "conflict", "invalid-edk", "key-unusable", "quota-exceeded"] as const),
    ...(["hsm-refused", "strict-tenant"] as const),
  ],
} as const satisfies Route;
export type ShareRequest = BodyOf<typeof makeShare>;
export type ShareMade = AnswerOf<typeof makeShare>;

/** Whom the account's documents are shared with, or one of them. */
export const listShares = {
  site: "app",
  method: "GET",
  path: "/kms/accounts/{account}/shares",
  authentication: "token",
  parameters: { account },
  query: { required: {}, optional: { document: documentId } },
  answer: { status: 200, json: open({ shares: list(sharedWith, 0, 1000) }) },
  problems: ["forbidden"],
} as const satisfies Route;

/** From now on nobody loads the key by it. */
export const withdrawShare = {
  site: "app",
  method: "DELETE",
  path: "/kms/accounts/{account}/shares/{share}",
  authentication: "token",
  parameters: { account, share },
  answer: { status: 204 },
  problems: ["forbidden"],
} as const satisfies Route;

/** The record to the account that it is for, whose list has it soon after, and who may read the document from now on. */
export const putShare = {
  site: "app",
  method: "PUT",
  path: "/accounts/{account}/documents/{id}/shares/{share}",
  authentication: "token",
  parameters: { account, id: documentId, share },
  request: { json: object({ to: identifier, record: jws, expires: seconds }), limit: 16 << 10 },
  answer: { status: 204 },
  problems: ["forbidden", "not-found", "conflict", "quota-exceeded"],
} as const satisfies Route;
export type PutShare = BodyOf<typeof putShare>;

export const deleteShare = {
  site: "app",
  method: "DELETE",
  path: "/accounts/{account}/documents/{id}/shares/{share}",
  authentication: "token",
  parameters: { account, id: documentId, share },
  answer: { status: 204 },
  problems: ["forbidden"],
} as const satisfies Route;

/** Bytes of a copy of a received document's metadata: a whole message. */
const MAX_COPY = 12 << 10;
const copy = base64url(1, MAX_COPY);

/** `account`: whose document it is, by the datastore's word; the record says it too, and is signed. `copy`: of its metadata, under the receiving account's own key. */
const receivedRow = open(
  { share, account: identifier, document: documentId, record: jws, created: seconds, expires: seconds },
  { copy },
);
export type ReceivedRow = Of<typeof receivedRow>;

/** What others have shared with the account, the newest first; those before the number `after`, which the page before names as `next`. */
export const listReceived = {
  site: "app",
  method: "GET",
  path: "/accounts/{account}/received",
  authentication: "token",
  parameters: { account },
  query: { required: {}, optional: { after: text(1, 10, /^\d+$/) } },
  answer: { status: 200, json: open({ received: list(receivedRow, 0, 100) }, { next: whole(1) }) },
  problems: ["forbidden"],
} as const satisfies Route;
export type ReceivedPage = AnswerOf<typeof listReceived>;

/** What somebody has shared is not wanted, or not any more. */
export const deleteReceived = {
  site: "app",
  method: "DELETE",
  path: "/accounts/{account}/received/{share}",
  authentication: "token",
  parameters: { account, share },
  answer: { status: 204 },
  problems: ["forbidden"],
} as const satisfies Route;

export const putReceivedCopy = {
  site: "app",
  method: "PUT",
  path: "/accounts/{account}/received/{share}/copy",
  authentication: "token",
  parameters: { account, share },
  request: { json: object({ copy }), limit: 32 << 10 },
  answer: { status: 204 },
  problems: ["forbidden", "not-found"],
} as const satisfies Route;

export const readReceivedContent = {
  site: "app",
  method: "GET",
  path: "/accounts/{account}/received/{share}/content",
  authentication: "token",
  parameters: { account, share },
  answer: { status: 200, octets: true, ranges: true },
  problems: ["forbidden", "not-found", "share-ended", "range-not-satisfiable"],
} as const satisfies Route;

export const readReceivedMetadata = {
  site: "app",
  method: "GET",
  path: "/accounts/{account}/received/{share}/metadata",
  authentication: "token",
  parameters: { account, share },
  answer: { status: 200, octets: true, ranges: false },
  problems: ["forbidden", "not-found", "share-ended"],
} as const satisfies Route;
