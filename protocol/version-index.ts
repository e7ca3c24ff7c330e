/**
 * The index of the versions of documents, of one account in one app: what a row says, and the root over all rows. The KMS keeps it, which
 * has no way to the datastore, so that a datastore that hides documents or serves earlier ones is noticed.
 */

import { digest } from "./digest.ts";
import { base64url, boolean, type Of, object, text, whole } from "./shape.ts";

const sha256 = /* @__PURE__ */ base64url(32);
/** A UUID as RFC 9562 §4 writes it, in lower case. */
const document = /* @__PURE__ */ text(36, 36, /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);

/**
 * `version`: 1, and one more with each change. `messageId`, `headerDigest`: the content, as metadata names it; absent where an earlier release
 * sealed metadata that names none. `metadataDigest`: SHA-256 of the sealed metadata message; absent where the row was taken over from a
 * document of an earlier release. `keyRecordDigest`: of its key record, if it has one. `deleted`: nothing else is said of it then.
 */
export const versionRow = /* @__PURE__ */ object(
  { document, version: /* @__PURE__ */ whole(1, 2 ** 31) },
  {
    ...{ messageId: sha256, headerDigest: sha256, metadataDigest: sha256, keyRecordDigest: sha256 },
    deleted: boolean,
  },
);
export type VersionRow = Of<typeof versionRow>;

/** Rows of one index: as many as an account may have documents unless configured otherwise, and the deleted ones beside them. */
export const MAX_ROWS = 200_000;
/** Rows of one page. */
export const MAX_ROWS_READ = 1000;
/** Rows that are written at a time. */
export const MAX_ROWS_WRITTEN = 100;

/** Rows lie in 256 buckets by the last byte of their id, so that a change costs the hash of one bucket and the root. */
export const BUCKETS = 256;

export function bucketOf(id: string): number {
  return Number.parseInt(id.slice(-2), 16);
}

/** What a row says, as bytes that are hashed. */
export function lineOf(row: VersionRow): string {
  const { document, version, messageId, headerDigest, metadataDigest, keyRecordDigest, deleted } = row;
  const said = [messageId, headerDigest, metadataDigest, keyRecordDigest].map((each) => each ?? null);
  return JSON.stringify([document, version, ...said, deleted ?? false]);
}

/** SHA-256 of a bucket, base64url: of its rows' lines in their order, which is that of the ids. */
export function bucketHash(lines: readonly string[]): Promise<string> {
  return digest(`coffer-version-bucket-v1\0${[...lines].sort().join("\n")}`);
}

/** SHA-256 over the hashes of all buckets, base64url. `hashes`: by bucket; those that are missing are of buckets without rows. */
export async function rootOf(hashes: ReadonlyMap<number, string>): Promise<string> {
  const empty = await bucketHash([]);
  const all = Array.from({ length: BUCKETS }, (_, bucket) => hashes.get(bucket) ?? empty);
  return digest(`coffer-version-root-v1\0${all.join("\n")}`);
}
