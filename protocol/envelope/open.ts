/** Opening: message in, plaintext out, frame by frame. Only a stream that has closed was complete and genuine. */
import type { ByteRange } from "../byte-range.ts";
import { concat } from "../bytes.ts";
import { CofferError } from "../error.ts";
import { type Deliver, decryptBlock, frameJobs } from "./body.ts";
import { verifyFooter } from "./footer.ts";
import type { Header } from "./header.ts";
import { mapError, type OpenOptions, openHeader, readHeader } from "./opening.ts";
import { type Job, pipeline } from "./pipeline.ts";
import { openRanged } from "./ranged.ts";
import type { RangedSource } from "./ranged-source.ts";
import { ByteReader, Foreign, type Source } from "./reader.ts";
import { MAX_HELD_LENGTH } from "./suite.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/**
 * Opens `source`. What is released has verified: of a framed message frame by frame, each as the one at its place; of a
 * signed one nothing before the signature over all of it, of one that is not framed nothing before its tag. What is
 * *not* verified until the stream closes is that the message is complete: it closes only after the final frame has
 * verified and the source has ended there.
 *
 * Everything wrong with the message is `decrypt-failed`, without detail. `document-too-long` is a genuine header whose
 * message is above `maxHeldLength`. The source's and the key's own errors and the signal's reason pass through.
 */
export function open(source: Source, options: OpenOptions): ReadableStream<Bytes>;
/**
 * Opens a part of a message that can be read from any place: the header, and those frames alone that hold the part. See
 * `openRanged`, which reads the header once for many parts, and says what is verified of a part.
 */
export function open(
  source: Blob | Uint8Array | RangedSource,
  options: OpenOptions & { range?: ByteRange },
): ReadableStream<Bytes>;
export function open(
  source: Source | RangedSource,
  { range, ...options }: OpenOptions & { range?: ByteRange },
): ReadableStream<Bytes> {
  if (range || "read" in source) {
    const { offset, length } = range ?? { offset: 0, length: Number.POSITIVE_INFINITY };
    return openRanged(source, options)
      .slice(offset, offset + length)
      .stream();
  }
  const reader = new ByteReader(source);
  return pipeline(jobs(reader, options), reader, {
    depth: 3,
    ...(options.signal ? { signal: options.signal } : {}),
    mapError,
  });
}

/** The same as a pair to `pipeThrough`. */
export function openStream(options: OpenOptions): ReadableWritablePair<Bytes, Uint8Array> {
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  return { readable: open(readable, options), writable };
}

async function* jobs(reader: ByteReader, options: OpenOptions): AsyncGenerator<Job, void> {
  const opened = await openHeader(await readHeader(reader), options);
  const { header, subtle } = opened;
  let done = 0;
  const deliver: Deliver = (plaintexts) => {
    for (const plaintext of plaintexts) done += plaintext.length;
    options.onProgress?.(done);
    return plaintexts;
  };
  const { signed } = header.suite;
  const framed = header.frameLength > 0;
  if (framed && !signed) return yield* frameJobs(reader, opened, deliver);

  const message = await hold(reader, header, options.maxHeldLength ?? MAX_HELD_LENGTH);
  const body = signed ? await verifyFooter(subtle, header, message) : message.subarray(header.length);
  if (framed) yield* frameJobs(new ByteReader(body), opened, deliver);
  else yield { chunks: decryptBlock(opened, body).then((plaintext) => deliver([plaintext], 0)) };
}

/** All of the message in one piece, its header again. */
async function hold(reader: ByteReader, header: Header, limit: number): Promise<Bytes> {
  reader.untake(concat(header.body, header.tag));
  const available = await reader.fill(limit + 1);
  if (available > limit) throw new Foreign(new CofferError("document-too-long"));
  return reader.take(available);
}
