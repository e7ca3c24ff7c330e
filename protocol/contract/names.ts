/** What several routes speak of. */

import { MAX_JWS_LENGTH } from "../keys/length.ts";
import { compactJws, record, text } from "../shape.ts";

/** Of a document, an account, an order. */
export const identifier = text(1, 64, /^[\w.:@-]*$/);
export const instanceId = text(1, 128, /^[\w-]*$/);
/** Of an enrolment session: random. Those of an earlier release say before it whose they are. */
export const enrolmentId = text(1, 128, /^([a-z2-7]{32}\.)?[\w-]*$/);
/** Of a principal: whose object is asked. It proves nothing. */
export const principalId = text(32, 32, /^[a-z2-7]*$/);
/** Key identifier and version, as the header of a document has them: `<keyId>.<keyVersion>`. */
export const keyName = text(3, 80, /^[\w-]+\.[1-9]\d{0,8}$/);
/** A version of a data key, as the KMS names those that it manages: `<id>.<version>`. */
export const keyVersion = text(3, 80, /^[\w-]{1,64}\.[1-9]\d{0,8}$/);
/** Of such a version: words of the custodian's own; nothing is decided by them. */
export const keyTags = record(16, 64);
/** EDK, load receipt. */
export const jws = compactJws(MAX_JWS_LENGTH);
/** A certificate's DER, base64url. */
export const certificate = text(1, 8192, /^[\w-]*$/);
export const uuid = text(36, 36, /^[\dA-Fa-f]{8}(-[\dA-Fa-f]{4}){3}-[\dA-Fa-f]{12}$/);
/** A UUID as RFC 9562 §4 writes it, in lower case: one form for one document. */
export const documentId = text(
  36,
  36,
  /^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
);
/** Part of a Distinguished Name as the IAM forms it: nothing in it could be read as another part. */
export const plainName = text(1, 63, /^[a-z0-9][a-z0-9-]*$/);
/** Accounts of one answer about their states: each is asked of its own object. */
export const ACCOUNT_STATES_PAGE = 50;
/** Documents that are asked for by their ids at a time. */
export const MAX_DOCUMENT_IDS = 100;
/** R2's minimum of a part that is not the last. */
export const MIN_PART = 5 << 20;
/** A user's id: `principalId`. */
export const userId = text(32, 32, /^[a-z2-7]*$/);
/** Bytes of a request that names as many EDKs as there may be. */
export const MAX_LOADS = 1 << 20;
