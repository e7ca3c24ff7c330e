/** A document of which parts are read: only the frames that hold them are fetched. */
import { type Excerpt, excerptOf, parseHeader, sealedLength } from "#protocol/envelope/index.ts";
import { CofferError } from "#protocol/error.ts";
import type { Content, Place } from "./content.ts";
import type { Metadata } from "./metadata.ts";

/** Bytes that are read at first: a header of ours fits in. */
export const HEAD = 16 << 10;

/** A document that parts are read of, any number of them at a time. `size` is proven, as its sealed metadata says it. */
export interface RangedDocument extends Metadata {
  id: string;
  account: string;
  /**
   * The plaintext from byte `start` up to `end`, or to the end of the document. What it gives is genuine, at its place, and
   * complete as a part; the rest of the document is neither fetched nor verified. Throws `RangeError`.
   */
  slice(start?: number, end?: number, signal?: AbortSignal): Promise<ReadableStream<Uint8Array<ArrayBuffer>>>;
}

/** Opens an excerpt of the sealed content. */
type OpenExcerpt = (
  excerpt: Excerpt,
  source: ReadableStream<Uint8Array<ArrayBuffer>>,
  signal: AbortSignal | undefined,
) => Promise<ReadableStream<Uint8Array<ArrayBuffer>>>;

/** Makes a document of its opened metadata and the beginning of its content. Error: `decrypt-failed` where the two do not fit together. */
export function rangedDocument(
  place: Place,
  metadata: Metadata,
  content: Pick<Content, "head" | "total" | "excerpt">,
  open: OpenExcerpt,
): RangedDocument {
  const header = parseHeader(content.head);
  const { size } = metadata;
  // By this the datastore's size of the content is as proven as that of the plaintext.
  if (!header || sealedLength(size, header.length, header.frameLength, header.layer) !== content.total) {
    throw new CofferError("decrypt-failed");
  }
  return {
    ...place,
    ...metadata,
    async slice(start = 0, end = size, signal) {
      if (!(Number.isSafeInteger(start) && start >= 0 && end >= start)) {
        throw new RangeError("no such part");
      }
      const offset = Math.min(start, size);
      const excerpt = { offset, length: Math.min(Math.floor(end), size) - offset, size: content.total };
      const source = content.excerpt(header.length, excerptOf(header, excerpt), signal);
      return open(excerpt, source, signal);
    },
  };
}
