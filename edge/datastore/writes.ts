/**
 * What R2 is told once the tenant's object has decided. A document may be deleted while its bytes are on their way: then
 * the request that brought them takes them away again, and the row stays until it has, or until the alarm finds it.
 */

import type { Completion, Part } from "#protocol/contract/index.ts";
import { fail, ok, type Result } from "../result.ts";
import type { DocumentRow } from "./documents.ts";
import { contentKey, metadataKey } from "./keys.ts";
import type { AllowedPart, Room } from "./quota.ts";

/** As an R2 bucket that is read directly would serve it. */
export const HTTP_METADATA = { contentType: "application/octet-stream", cacheControl: "no-store" };

export type Bucket = Pick<R2Bucket, "put" | "delete" | "head" | "resumeMultipartUpload">;

/** The table, in the tenant's object. */
export interface Rows {
  /** These two end a part's upload; `notTaken` where R2 certainly has nothing of it. */
  took(id: string, part: Part, size: number): Promise<void>;
  notTaken(id: string, room: Room): Promise<void>;
  /** These two end the write. False when the document is not there any more. */
  tookMetadata(id: string, size: number): Promise<boolean>;
  completed(id: string, etag: string): Promise<boolean>;
  /** A write ended without effect. */
  wrote(id: string): Promise<void>;
  /** R2 has forgotten the document. */
  removed(id: string): Promise<void>;
}

export type Place = { bucket: Bucket; rows: Rows; tenant: string };

/**
 * Stores a part for which room was taken. A body that did not come whole leaves nothing, and gives the room back. If R2 had
 * all of it and failed, nobody knows: the room stays taken until the part is sent again or the upload ends.
 */
export async function storePart(
  { bucket, rows, tenant }: Place,
  { id, account, upload, room }: AllowedPart,
  body: ReadableStream,
  length: number,
): Promise<Part> {
  const { readable, writable } = new FixedLengthStream(length);
  const failed = new AbortController();
  const whole = body.pipeTo(writable, { signal: failed.signal }).then(
    () => true,
    () => false,
  );
  try {
    const resumed = bucket.resumeMultipartUpload(contentKey(tenant, { id, account }), upload);
    const { etag } = await resumed.uploadPart(room.part, readable);
    const part = { part: room.part, etag };
    await rows.took(id, part, length);
    return part;
  } catch (error) {
    failed.abort();
    if (!(await whole)) await rows.notTaken(id, room);
    throw error;
  }
}

/** Stores the sealed metadata of a document, for which a write has begun. */
export async function storeMetadata(
  { bucket, rows, tenant }: Place,
  row: DocumentRow,
  message: Uint8Array,
): Promise<Result<void>> {
  await endingOnFailure(rows, row, () => bucket.put(metadataKey(tenant, row), message));
  if (await rows.tookMetadata(row.id, message.byteLength)) return ok(undefined);
  await takeAway({ bucket, rows, tenant }, row);
  return fail("not-found");
}

/** Joins the parts of an upload, for which a write has begun. If it is complete already, the answer is the same as then. */
export async function joinParts(
  { bucket, rows, tenant }: Place,
  row: DocumentRow,
  { parts }: Completion,
): Promise<Result<{ size: number; etag: string }>> {
  if (row.state === "complete") return ok({ size: row.size, etag: row.etag ?? "" });
  const key = contentKey(tenant, row);
  const joined = parts.map(({ part, etag }) => ({ partNumber: part, etag }));
  const object = await endingOnFailure(rows, row, () =>
    bucket
      .resumeMultipartUpload(key, row.upload ?? "")
      .complete(joined)
      // Joined before, by an attempt whose answer was lost? If it was not, it can be asked for again.
      .catch(() => bucket.head(key)),
  );
  if (object === null || object.size !== row.size) {
    await rows.wrote(row.id);
    return fail("internal");
  }
  if (await rows.completed(row.id, object.httpEtag)) return ok({ size: row.size, etag: object.httpEtag });
  await takeAway({ bucket, rows, tenant }, row);
  return fail("conflict");
}

/** Stores a document as a whole, for which a write has begun. Its metadata comes first: whatever has all its content is whole. */
export async function storeWhole(
  { bucket, rows, tenant }: Place,
  row: DocumentRow,
  { content, metadata }: { content: Uint8Array; metadata: Uint8Array },
): Promise<Result<{ size: number; etag: string }>> {
  if (row.state === "complete") return ok({ size: row.size, etag: row.etag ?? "" });
  const { httpEtag } = await endingOnFailure(rows, row, async () => {
    await bucket.put(metadataKey(tenant, row), metadata);
    return bucket.put(contentKey(tenant, row), content, { httpMetadata: HTTP_METADATA });
  });
  if (await rows.completed(row.id, httpEtag)) return ok({ size: row.size, etag: httpEtag });
  await takeAway({ bucket, rows, tenant }, row);
  return fail("conflict");
}

/** Removes the bytes of a document that is marked deleted. */
export async function erase({ bucket, rows, tenant }: Place, row: DocumentRow): Promise<void> {
  if (row.upload !== null && row.state !== "complete")
    await endUpload(bucket, contentKey(tenant, row), row.upload);
  await takeAway({ bucket, rows, tenant }, row);
}

/** Takes the parts of an upload away. Throws if R2 may still have them: their room must not be given back. */
export async function endUpload(bucket: Bucket, key: string, upload: string): Promise<void> {
  try {
    await bucket.resumeMultipartUpload(key, upload).abort();
  } catch (error) {
    if (!NO_SUCH_UPLOAD.test(String(error))) throw error;
  }
}

/** R2 names its error codes in messages alone (Workers R2 API reference, error codes). */
const NO_SUCH_UPLOAD = /\(10024\)/;

/** If R2 fails here, the row stays and the alarm tries again. */
async function takeAway({ bucket, rows, tenant }: Place, row: DocumentRow): Promise<void> {
  await bucket.delete([contentKey(tenant, row), metadataKey(tenant, row)]);
  await rows.removed(row.id);
}

async function endingOnFailure<T>(rows: Rows, { id }: DocumentRow, write: () => Promise<T>): Promise<T> {
  try {
    return await write();
  } catch (error) {
    await rows.wrote(id);
    throw error;
  }
}
