/** Documents: ciphertext in and out, in parts and by ranges. Sizes are bytes of ciphertext, times seconds since 1970. */

import { list, type Of, object, open, seconds, text, whole } from "../shape.ts";
import { documentId, identifier, MIN_PART } from "./names.ts";
import type { Route } from "./route.ts";

/** A server that asked for larger parts would have clients hold them in memory. */
const MAX_PART = 64 << 20;
const MAX_PARTS = 10_000;
/** Sealed metadata: a message of a few hundred bytes, bounded. */
const MAX_METADATA = 64 << 10;
/** JSON of a completion, which names up to 10,000 parts. */
const COMPLETION = 2 << 20;

const etag = text(1, 256, /^[\x21-\x7e]*$/);
/** Whose they are: an id is used once in an account. */
const collection = { account: identifier };
const parameters = { ...collection, id: identifier };

/** Part of a document that the datastore has taken. */
const part = open({ part: whole(1, MAX_PARTS), etag });
export type Part = Of<typeof part>;

const documentRow = open({ id: identifier, account: identifier, size: whole(0), created: seconds });
export type DocumentRow = Of<typeof documentRow>;

const documentPage = open({ documents: list(documentRow, 0, 1000) }, { cursor: text(1, 256, /^[\w-]*$/) });
export type DocumentPage = Of<typeof documentPage>;

const uploadOpened = open({ id: identifier, partSize: whole(MIN_PART, MAX_PART) });
export type UploadOpened = Of<typeof uploadOpened>;

const takenPart = open({ part: whole(1, MAX_PARTS), etag, size: whole(1) });
export type TakenPart = Of<typeof takenPart>;

const completion = object({
  parts: list(object({ part: whole(1, MAX_PARTS), etag: text(0, 256) }), 1, MAX_PARTS),
  size: whole(1),
});
export type Completion = Of<typeof completion>;

export const listDocuments = {
  site: "app",
  method: "GET",
  path: "/accounts/{account}/documents",
  authentication: "token",
  parameters: collection,
  query: { required: {}, optional: { cursor: text(0, 256) } },
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
