/** The version index of an account's documents in one app: at the KMS, which has no way to the datastore. */

import { boolean, list, type Of, object, open, text, whole } from "../shape.ts";
import { MAX_ROWS_READ, MAX_ROWS_WRITTEN, versionRow } from "../version-index.ts";
import { documentId, identifier, jws } from "./names.ts";
import type { AnswerOf, BodyOf, Route } from "./route.ts";

const parameters = { account: identifier };

/**
 * That a document is the newest version of another from now on. `first`: the id of the first of them; `over`: the one that it follows, which is
 * the newest until then.
 */
const lead = object({ document: documentId, first: documentId, over: documentId });
export type Lead = Of<typeof lead>;

/**
 * Rows that have changed since the cursor `after` (a sequence; 0: all), the earliest change first. `sequence`: of the last of them, with
 * which the next page begins. The last page has the signed head. `again`: the cursor is of no use any more, and this is the first page of
 * all rows.
 */
export const readVersions = {
  site: "app",
  method: "GET",
  path: "/kms/accounts/{account}/document-versions",
  authentication: "token",
  parameters,
  query: { required: {}, optional: { after: text(1, 16, /^\d+$/) } },
  answer: {
    status: 200,
    json: open(
      { rows: list(versionRow, 0, MAX_ROWS_READ), sequence: whole(0) },
      { head: jws, again: boolean },
    ),
  },
  problems: ["forbidden", "hsm-refused"],
} as const satisfies Route;
export type VersionPage = AnswerOf<typeof readVersions>;

/**
 * Each row takes the place of the version before it (none, for version 1), or is left out and what stands (nothing, perhaps) is answered in
 * `conflicts`: a row that stands already is none. A row that says `deleted` takes the place of whichever version there is, and is nothing where there is none.
 * `founded`: all documents of releases without an index are in it from now on. `leads`: of documents among the rows; one whose row takes the place
 * of another than the newest is left out, and the row of the newest stands in `conflicts`. Shares of what is followed end.
 */
export const putVersions = {
  site: "app",
  method: "POST",
  path: "/kms/accounts/{account}/document-versions",
  authentication: "token",
  parameters,
  request: {
    json: object(
      { rows: list(versionRow, 0, MAX_ROWS_WRITTEN) },
      { founded: boolean, leads: list(lead, 1, MAX_ROWS_WRITTEN) },
    ),
    limit: 64 << 10,
  },
  answer: {
    status: 200,
    json: open({
      ...{ sequence: whole(0), founded: boolean },
      conflicts: list(object({ document: documentId }, { standing: versionRow }), 0, MAX_ROWS_WRITTEN),
    }),
  },
  problems: ["forbidden", "quota-exceeded"],
} as const satisfies Route;
export type VersionChange = BodyOf<typeof putVersions>;
export type VersionsPut = AnswerOf<typeof putVersions>;
