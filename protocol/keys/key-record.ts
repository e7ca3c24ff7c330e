/**
 * Key record: the data key of one document under another account's key, for that account to open it by. It is an EDK that says which document it is
 * for, so that it is signed, loaded and refused as every EDK; the document's header, which has another one, stays as it is.
 */

import { base64url, line, type Of, object } from "../shape.ts";

const identifier = /* @__PURE__ */ line(64);
const sha256 = /* @__PURE__ */ base64url(32);

/**
 * `account`, `name`: whose document it is. `document`: its id. `messageId`, `headerDigest`: its content, and `metadataDigest` the message of its metadata, as
 * the version index had them when the record was made.
 */
export const keyRecord = /* @__PURE__ */ object(
  {
    account: identifier,
    name: /* @__PURE__ */ line(256),
    document: identifier,
    messageId: sha256,
    headerDigest: sha256,
  },
  { metadataDigest: sha256 },
);
export type KeyRecord = Of<typeof keyRecord>;
