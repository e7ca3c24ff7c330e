/** What crosses the datastore's RPC. Sizes are bytes of ciphertext; times are seconds since 1970. */

import { list, type Of, object, text, whole } from "#protocol/shape.ts";

/** What the client should use; every part but the last has one size (R2's rule). */
export const PART_SIZE = 8 * 1024 * 1024;
/** R2's minimum size of a part that is not the last. */
export const MIN_PART = 5 * 1024 * 1024;
export const MAX_PART = 64 * 1024 * 1024;
export const MAX_PARTS = 10_000;
/** Sealed metadata: a message of a few hundred bytes, bounded. */
export const MAX_METADATA = 64 * 1024;

export type Document = { id: string; account: string; size: number; created: number };
export type DocumentPage = { documents: Document[]; cursor?: string };
export type UploadOpened = { id: string; partSize: number };
export type Part = { part: number; etag: string };

/** First byte and number of bytes. */
export type ByteRange = { offset: number; length: number };

/** Bytes on their way out. `range` is null for the whole. `etag` is quoted, as HTTP wants it. */
export type Content = { body: ReadableStream; size: number; etag: string; range: ByteRange | null };

export const completion = object({
  parts: list(object({ part: whole(1, MAX_PARTS), etag: text(0, 256) }), 1, MAX_PARTS),
  size: whole(1),
});
export type Completion = Of<typeof completion>;
