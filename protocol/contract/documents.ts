/** Documents: ciphertext in and out, in parts and by ranges. Sizes are bytes of ciphertext, times seconds since 1970. */

import { base64url, list, type Of, object, open, seconds, text, whole } from "../shape.ts";
import { documentId, identifier, jws, MAX_DOCUMENT_IDS, MIN_PART } from "./names.ts";
import type { BodyOf, Route } from "./route.ts";

/** A server that asked for larger parts would have clients hold them in memory. */
const MAX_PART = 64 << 20;
const MAX_PARTS = 10_000;
/** Sealed metadata: a message of a few hundred bytes, bounded. */
const MAX_METADATA = 64 << 10;
/** Of a document that goes up in one request, with its EDK. */
const MAX_SHORT_METADATA = 16 << 10;
/** Ciphertext of a document that goes up in one request. */
const MAX_SHORT_DOCUMENT = 256 << 10;
/** JSON of a completion, which names up to 10,000 parts. */
const COMPLETION = 2 << 20;

const etag = text(1, 256, /^[\x21-\x7e]*$/);
/** Whose they are: an id is used once in an account. */
const collection = { account: identifier };
const parameters = { ...collection, id: identifier };

/** Part of a document that the datastore has taken. */
const part = open({ part: whole(1, MAX_PARTS), etag });
export type Part = Of<typeof part>;

/** Bytes of a listed copy: a message of the metadata without its encrypted data key. */
const MAX_LISTED = 2048;
/** Listed copies that are put at a time. */
const MAX_PUT_LISTED = 100;
const sealed = base64url(1, MAX_LISTED);

/** `listed`: the copy of its metadata for the list, where there is one; `key` is the place of its EDK among the page's. */
const row = { id: identifier, account: identifier, size: whole(0), created: seconds };
const ofRow = { listed: object({ key: whole(0), sealed }) };
const documentRow = open(row, ofRow);
export type DocumentRow = Of<typeof documentRow>;

/** `keys`: EDKs of the listed copies, each once. */
const documentPage = open(
  { documents: list(documentRow, 0, 1000) },
  { cursor: text(1, 256, /^[\w-]*$/), keys: list(jws, 1, 1000) },
);
export type DocumentPage = Of<typeof documentPage>;

/** Of a document that will be deleted: `ends` says when. */
const deletedPage = open(
  { documents: list(open({ ...row, ends: seconds }, ofRow), 0, 1000) },
  { cursor: text(1, 256, /^[\w-]*$/), keys: list(jws, 1, 1000) },
);
export type DeletedPage = Of<typeof deletedPage>;

const uploadOpened = open({ id: identifier, partSize: whole(MIN_PART, MAX_PART) });
export type UploadOpened = Of<typeof uploadOpened>;

const takenPart = open({ part: whole(1, MAX_PARTS), etag, size: whole(1) });
export type TakenPart = Of<typeof takenPart>;

/** A copy of the sealed metadata for the list, under the account's metadata key, whose EDK stands beside it. */
const listed = object({ edk: jws, sealed });
export type Listed = Of<typeof listed>;

const completion = object(
  {
    parts: list(object({ part: whole(1, MAX_PARTS), etag: text(0, 256) }), 1, MAX_PARTS),
    size: whole(1),
  },
  { listed },
);
export type Completion = Of<typeof completion>;

/** All, by pages, of `limit` documents at the most; with `ids` those of them that there are. */
export const listDocuments = {
  site: "app",
  method: "GET",
  path: "/accounts/{account}/documents",
  authentication: "token",
  parameters: collection,
  query: {
    required: {},
    optional: {
      cursor: text(0, 256),
      limit: text(1, 3, /^[1-9]\d*$/),
      ids: text(36, MAX_DOCUMENT_IDS * 37 - 1, /^[0-9a-f-]{36}(,[0-9a-f-]{36})*$/),
    },
  },
  answer: { status: 200, json: documentPage },
  problems: ["forbidden"],
} as const satisfies Route;

/** The custodian chooses the id; for one that leaves it out, one is made. The same request again is answered as the first time. */
export const openUpload = {
  site: "app",
  method: "POST",
  path: "/accounts/{account}/documents",
  authentication: "token",
  parameters: collection,
  // More members were let through from the first day.
  request: { json: open({}, { id: documentId }) },
  answer: { status: 201, json: uploadOpened },
  problems: ["forbidden", "conflict", "quota-exceeded"],
} as const satisfies Route;

/** A short document as a whole: listed when it is answered. The same request again is answered as the first time. */
export const storeDocument = {
  site: "app",
  method: "PUT",
  path: "/accounts/{account}/documents/{id}",
  authentication: "token",
  parameters: { ...collection, id: documentId },
  request: {
    json: object(
      { content: base64url(1, MAX_SHORT_DOCUMENT), metadata: base64url(1, MAX_SHORT_METADATA) },
      { listed },
    ),
    limit: 512 << 10,
  },
  answer: { status: 201, json: open({ size: whole(1), etag }) },
  problems: ["forbidden", "conflict", "quota-exceeded"],
} as const satisfies Route;
export type ShortDocument = BodyOf<typeof storeDocument>;

/** What an upload has, so that somebody goes on with it. */
export const readUpload = {
  site: "app",
  method: "GET",
  path: "/accounts/{account}/uploads/{id}",
  authentication: "token",
  parameters,
  answer: {
    status: 200,
    json: open({ id: identifier, partSize: whole(MIN_PART, MAX_PART), parts: list(takenPart, 0, MAX_PARTS) }),
  },
  problems: ["forbidden", "not-found", "conflict"],
} as const satisfies Route;

/** A part can be sent again. All but the last have one size. */
export const uploadPart = {
  site: "app",
  method: "PUT",
  path: "/accounts/{account}/documents/{id}/parts/{part}",
  authentication: "token",
  parameters: { ...parameters, part: text(1, 5, /^([1-9]\d{0,3}|10000)$/) },
  request: { octets: true, limit: MAX_PART, streamed: true },
  answer: { status: 200, json: part },
  problems: ["forbidden", "not-found", "conflict", "quota-exceeded"],
} as const satisfies Route;

/** The sealed metadata message. It may be replaced. */
export const putMetadata = {
  site: "app",
  method: "PUT",
  path: "/accounts/{account}/documents/{id}/metadata",
  authentication: "token",
  parameters,
  request: { octets: true, limit: MAX_METADATA, streamed: false },
  answer: { status: 204 },
  problems: ["forbidden", "not-found", "conflict", "quota-exceeded"],
} as const satisfies Route;

/** Joins the parts; from now on the document is listed. The same request again is answered as the first time. */
export const completeUpload = {
  site: "app",
  method: "POST",
  path: "/accounts/{account}/documents/{id}/complete",
  authentication: "token",
  parameters,
  request: { json: completion, limit: COMPLETION },
  answer: { status: 200, json: open({ size: whole(1), etag }) },
  problems: ["forbidden", "not-found", "conflict", "quota-exceeded"],
} as const satisfies Route;

export const readContent = {
  site: "app",
  method: "GET",
  path: "/accounts/{account}/documents/{id}/content",
  authentication: "token",
  parameters,
  answer: { status: 200, octets: true, ranges: true },
  problems: ["forbidden", "not-found", "conflict", "range-not-satisfiable"],
} as const satisfies Route;

/** Of a document, or of an upload that is not complete. */
export const readMetadata = {
  site: "app",
  method: "GET",
  path: "/accounts/{account}/documents/{id}/metadata",
  authentication: "token",
  parameters,
  answer: { status: 200, octets: true, ranges: false },
  problems: ["forbidden", "not-found", "conflict"],
} as const satisfies Route;

/**
 * Copies for the list, under one key, of complete documents that have none or one under another key. Documents that are not there are
 * left out: they may have been deleted meanwhile.
 */
export const putListed = {
  site: "app",
  method: "PUT",
  path: "/accounts/{account}/listed-metadata",
  authentication: "token",
  parameters: collection,
  request: {
    json: object({
      edk: jws,
      documents: list(object({ id: identifier, sealed }), 1, MAX_PUT_LISTED),
    }),
    limit: 512 << 10,
  },
  answer: { status: 204 },
  problems: ["forbidden"],
} as const satisfies Route;
export type PutListed = BodyOf<typeof putListed>;

/** Gone from the list at once, and for good after so many days, 30 unless it is said. Asked for again, it ends when it was to end. */
export const scheduleDocumentDeletion = {
  site: "app",
  method: "POST",
  path: "/accounts/{account}/documents/{id}/deletion",
  authentication: "token",
  parameters,
  request: { json: object({}, { days: whole(1, 90) }) },
  answer: { status: 200, json: open({ ends: seconds }) },
  problems: ["forbidden", "not-found", "conflict"],
} as const satisfies Route;

/** It is listed again. One that is not to be deleted is kept already. */
export const cancelDocumentDeletion = {
  site: "app",
  method: "DELETE",
  path: "/accounts/{account}/documents/{id}/deletion",
  authentication: "token",
  parameters,
  answer: { status: 204 },
  problems: ["forbidden", "not-found"],
} as const satisfies Route;

/** Documents that will be deleted, those that were sealed last first. */
export const listDeletedDocuments = {
  site: "app",
  method: "GET",
  path: "/accounts/{account}/deleted-documents",
  authentication: "token",
  parameters: collection,
  query: { required: {}, optional: { cursor: text(0, 256) } },
  answer: { status: 200, json: deletedPage },
  problems: ["forbidden"],
} as const satisfies Route;

/** An upload or a complete document; gone from the list at once. */
export const deleteDocument = {
  site: "app",
  method: "DELETE",
  path: "/accounts/{account}/documents/{id}",
  authentication: "token",
  parameters,
  answer: { status: 204 },
  problems: ["forbidden", "not-found", "conflict"],
} as const satisfies Route;
