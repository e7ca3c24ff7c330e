/**
 * A part of a message that somebody else has cut out: the header, and the frames that hold the part. For a reader that has the
 * key and cannot fetch, as the microservice behind its port.
 */
import type { ByteRange } from "../byte-range.ts";
import { CofferError } from "../error.ts";
import { type Deliver, frameJobs } from "./body.ts";
import type { Header } from "./header.ts";
import { frameOffset, framesOf, type Layout, layoutOf } from "./layout.ts";
import { mapError, type OpenOptions, openHeader, readHeader } from "./opening.ts";
import { type Job, pipeline } from "./pipeline.ts";
import { ByteReader, type Source } from "./reader.ts";
import { decryptFailed } from "./suite.ts";

/** A part of the plaintext of a message of `size` bytes, which need not be so: what depends on it is verified. */
export type Excerpt = ByteRange & { size: number };

/**
 * Which bytes of the message follow the header in an excerpt of it. Throws `not-seekable`, and `decrypt-failed` where no
 * message with this header is that long.
 *
 * @example
 * const { offset, length } = excerptOf(header, excerpt);
 * const cutOut = new Blob([message.slice(0, header.length), message.slice(offset, offset + length)]);
 * const part = openExcerpt(cutOut, excerpt, options);
 */
export function excerptOf(header: Header, { offset, length, size }: Excerpt): ByteRange {
  const layout = seekableLayout(header, size);
  if (length === 0) return { offset: header.length, length: 0 };
  const frames = framesOf(header, layout, offset, offset + length);
  const start = frameOffset(header, frames.first);
  return {
    offset: start,
    length: (frames.last === undefined ? size : frameOffset(header, frames.last + 1)) - start,
  };
}

/** Opens what `excerptOf` says, in one piece or as a stream. What it proves is what a slice of `openRanged` does. */
export function openExcerpt(
  source: Source,
  excerpt: Excerpt,
  options: OpenOptions,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  const reader = new ByteReader(source);
  async function* jobs(): AsyncGenerator<Job, void> {
    const opened = await openHeader(await readHeader(reader), options);
    const { offset, length, size } = excerpt;
    const layout = seekableLayout(opened.header, size);
    if (length > 0) {
      const frames = framesOf(opened.header, layout, offset, offset + length);
      yield* frameJobs(reader, opened, cut(offset, offset + length, options), frames);
    }
    reader.cancel(undefined);
  }
  return pipeline(jobs(), reader, {
    depth: 3,
    ...(options.signal ? { signal: options.signal } : {}),
    mapError,
  });
}

/** The layout of a message of which parts can be opened. One that is signed or not framed is authentic as a whole or not at all. */
export function seekableLayout(header: Header, size: number): Layout {
  if (header.suite.signed || header.frameLength === 0) throw new CofferError("not-seekable");
  const layout = layoutOf(header, size);
  if (!layout) throw decryptFailed();
  return layout;
}

/** Gives of the frames what lies between `start` and `end`; a part of a frame in a buffer of its own, with nothing else in it. */
export function cut(start: number, end: number, { onProgress }: OpenOptions): Deliver {
  let done = 0;
  return (plaintexts, position) => {
    let at = position;
    const parts = plaintexts.map((plaintext) => {
      const from = Math.min(Math.max(start - at, 0), plaintext.length);
      const to = Math.min(Math.max(end - at, from), plaintext.length);
      at += plaintext.length;
      done += to - from;
      return to - from === plaintext.length ? plaintext : plaintext.slice(from, to);
    });
    onProgress?.(done);
    return parts;
  };
}
