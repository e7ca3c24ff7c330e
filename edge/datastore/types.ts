/** What crosses the datastore's RPC beside the contract's. Sizes are bytes of ciphertext; times are seconds since 1970. */
import type { ByteRange } from "#protocol/byte-range.ts";

/** What the client should use; every part but the last has one size (R2's rule). */
export const PART_SIZE = 8 * 1024 * 1024;

/** Bytes on their way out. `range` is null for the whole. `etag` is quoted, as HTTP wants it. */
export type Content = { body: ReadableStream; size: number; etag: string; range: ByteRange | null };
