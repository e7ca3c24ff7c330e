/** Opening parts of a message: the header once, then the frames alone that hold what is asked for. */
import { join } from "../bytes.ts";
import { CofferError } from "../error.ts";
import { frameJobs, type Opened } from "./body.ts";
import { cut, seekableLayout } from "./excerpt.ts";
import { parseHeader } from "./header.ts";
import { frameOffset, framesOf, type Layout } from "./layout.ts";
import { mapError, type OpenOptions, openHeader } from "./opening.ts";
import { type Job, pipeline } from "./pipeline.ts";
import { type RangedSource, rangedSource, readPart } from "./ranged-source.ts";
import { type ByteReader, Foreign } from "./reader.ts";
import { SharedLoad } from "./shared-load.ts";
import { decryptFailed, MAX_HEADER_LENGTH } from "./suite.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** What is read of a source at first: a header of ours fits in. */
const HEAD = 4 << 10;

/** A message that is read in parts, any number of them at a time. Much like a `Blob`, but for a size that has to be asked for. */
export interface RangedMessage {
  /** Bytes of the plaintext, as the final frame proves them; it is read the first time that somebody asks. */
  size(signal?: AbortSignal): Promise<number>;
  /** The plaintext from byte `start` up to `end`, or to the end of the message. Throws `RangeError`. */
  slice(start?: number, end?: number): MessageSlice;
}

/** A part of a message; each call reads it again. */
export interface MessageSlice {
  stream(signal?: AbortSignal): ReadableStream<Bytes>;
  arrayBuffer(signal?: AbortSignal): Promise<ArrayBuffer>;
}

/**
 * Opens a message for reading in parts, from a Blob, from bytes, or from wherever a `RangedSource` reads. Nothing is read
 * before it is needed; the header is read and verified once.
 *
 * What a slice gives has verified, frame by frame, as the plaintext of this message at this very place. What it does *not*
 * show is that the message is complete: frames that it does not touch may be missing or spoilt, and a source may have lost
 * the message's end. The final frame alone proves the length. It is read and verified by `size`, and by every slice that
 * reaches to the end or beyond it: no slice is shorter than was asked for because a source says so.
 *
 * A message that is signed or not framed is authentic as a whole or not at all: `not-seekable`. Everything wrong with the
 * message is `decrypt-failed`; `source-changed` is a source that is not the same as before. The source's and the key's own errors
 * and the signal's reason pass through.
 *
 * @example
 * const video = openRanged(httpSource(url, { fetch }), { subtle, dataKey, context });
 * const seconds = await video.slice(offset, offset + 100_000).arrayBuffer();
 */
export function openRanged(source: Parameters<typeof rangedSource>[0], options: OpenOptions): RangedMessage {
  const ranges = rangedSource(source);
  const begun = new SharedLoad((signal) => begin(ranges, options, signal));

  function stream(start: number, end: number, asked: AbortSignal | undefined): ReadableStream<Bytes> {
    const stopped = new AbortController();
    const given = either(options.signal, asked);
    const signal = either(stopped.signal, given);
    let reader: ByteReader | undefined;
    async function* jobs(): AsyncGenerator<Job, void> {
      const { opened, layout, size } = await begun.get(signal);
      if (start === end) return;
      const { header } = opened;
      const frames = framesOf(header, layout, start, end);
      const offset = frameOffset(header, frames.first);
      const until = frames.last === undefined ? size : frameOffset(header, frames.last + 1);
      const part = await readPart(ranges, offset, until - offset, signal);
      ({ reader } = part);
      if (part.size !== size) throw new Foreign(new CofferError("source-changed"));
      yield* frameJobs(reader, opened, cut(start, end, options), frames);
      reader.cancel(undefined);
    }
    const cancel = (reason: unknown) => {
      stopped.abort(reason);
      reader?.cancel(reason);
    };
    return pipeline(jobs(), { cancel }, { depth: 3, signal: given, mapError });
  }

  const size = new SharedLoad(async (signal) => {
    const { layout } = await begun.get(signal);
    const end = stream(layout.length, Number.POSITIVE_INFINITY, signal);
    await collect(end).catch((reason: unknown) => Promise.reject(new Foreign(reason)));
    return layout.length;
  });

  return {
    async size(given) {
      const signal = either(options.signal, given);
      try {
        return await size.get(signal);
      } catch (reason) {
        throw signal.aborted ? signal.reason : mapError(reason);
      }
    },
    slice(start = 0, end = Number.POSITIVE_INFINITY) {
      if (!isPlace(start) || !(end === Number.POSITIVE_INFINITY || isPlace(end)) || end < start) {
        throw new RangeError("a slice begins at byte 0 or later, and does not end before it begins");
      }
      return {
        stream: (signal) => stream(start, end, signal),
        arrayBuffer: async (signal) => (await collect(stream(start, end, signal))).buffer,
      };
    },
  };
}

function either(...signals: (AbortSignal | undefined)[]): AbortSignal {
  return AbortSignal.any(signals.filter((signal) => signal !== undefined));
}

const isPlace = (value: number) => Number.isSafeInteger(value) && value >= 0;

/** A header that has verified, and how its message lies in the source, as far as the source is right about its size. */
type Begun = { opened: Opened; layout: Layout; size: number };

async function begin(source: RangedSource, options: OpenOptions, signal: AbortSignal): Promise<Begun> {
  for (let wanted = HEAD; ; wanted *= 4) {
    const { size, reader } = await readPart(source, 0, wanted, signal);
    const available = await reader.fill(wanted);
    const header = parseHeader(reader.take(Math.min(available, wanted)));
    reader.cancel(undefined);
    if (header) {
      const opened = await openHeader(header, options);
      return { opened, layout: seekableLayout(header, size), size };
    }
    if (available < wanted || wanted >= MAX_HEADER_LENGTH) throw decryptFailed();
  }
}

async function collect(stream: ReadableStream<Bytes>): Promise<Bytes> {
  const reader = stream.getReader();
  const chunks: Bytes[] = [];
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return join(chunks);
    chunks.push(value);
  }
}
