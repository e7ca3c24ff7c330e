/** Opening: message in, plaintext out, frame by frame. Only a stream that has closed was complete and genuine. */
import { concat } from "../bytes.ts";
import { CofferError } from "../error.ts";
import { type Deliver, decryptBlock, frameJobs, type Opened } from "./body.ts";
import { type EncryptionContext, matchesContext } from "./context.ts";
import { verifyFooter } from "./footer.ts";
import { type Header, parseHeader } from "./header.ts";
import { type EnvelopeCrypto, verifyHeader } from "./keys.ts";
import { type Job, pipeline } from "./pipeline.ts";
import { ByteReader, Foreign, type Source } from "./reader.ts";
import { decryptFailed, MAX_HEADER_LENGTH, MAX_HELD_LENGTH } from "./suite.ts";

type Bytes = Uint8Array<ArrayBuffer>;

export type OpenOptions = {
  subtle: EnvelopeCrypto;
  /** Gives the data key for a header that is not yet authenticated; its own errors pass through. */
  dataKey(header: Header): CryptoKey | Promise<CryptoKey>;
  /**
   * What the message's context must equal, pair for pair. The pair `aws-crypto-public-key` of a signed message may be left
   * out; where it is given it is the signer's key that is expected.
   */
  context: EncryptionContext;
  /**
   * Longest message, in bytes, of those that have to be held whole before anything of them may be released: signed ones
   * and ones that are not framed. Default: 64 MiB, and about twice that is in memory for a moment. 0 refuses them all.
   */
  maxHeldLength?: number;
  signal?: AbortSignal;
  /** Called with the plaintext bytes decrypted so far. */
  onProgress?(bytes: number): void;
};

/**
 * Opens `source`. What is released has verified: of a framed message frame by frame, each as the one at its place; of a
 * signed one nothing before the signature over all of it, of one that is not framed nothing before its tag. What is
 * *not* verified until the stream closes is that the message is complete: it closes only after the final frame has
 * verified and the source has ended there.
 *
 * Everything wrong with the message is `decrypt-failed`, without detail. `document-too-long` is a genuine header whose
 * message is above `maxHeldLength`. The source's and the key's own errors and the signal's reason pass through.
 */
export function open(source: Source, options: OpenOptions): ReadableStream<Bytes> {
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

/** The one error of everything that is wrong with a message; others' errors as they are. */
export function mapError(reason: unknown): unknown {
  return reason instanceof Foreign ? reason.reason : decryptFailed();
}

async function* jobs(reader: ByteReader, options: OpenOptions): AsyncGenerator<Job, void> {
  const opened = await openHeader(reader, options);
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

/** Reads the header and verifies it: context, commitment, tag. */
export async function openHeader(reader: ByteReader, options: OpenOptions): Promise<Opened> {
  const { subtle } = options;
  const header = await readHeader(reader);
  if (!matchesContext(header.context, header.suite.signed, options.context)) throw decryptFailed();
  let dataKey: CryptoKey;
  try {
    dataKey = await options.dataKey(header);
  } catch (reason) {
    throw new Foreign(reason);
  }
  return { subtle, header, key: await verifyHeader(subtle, dataKey, header) };
}

async function readHeader(reader: ByteReader): Promise<Header> {
  for (let wanted = 1024; ; wanted *= 4) {
    const available = await reader.fill(Math.min(wanted, MAX_HEADER_LENGTH));
    const bytes = reader.take(Math.min(available, MAX_HEADER_LENGTH));
    const header = parseHeader(bytes);
    if (header) {
      reader.untake(bytes.subarray(header.length));
      return header;
    }
    if (available < wanted) throw decryptFailed();
    reader.untake(bytes);
  }
}

/** All of the message in one piece, its header again. */
async function hold(reader: ByteReader, header: Header, limit: number): Promise<Bytes> {
  reader.untake(concat(header.body, header.tag));
  const available = await reader.fill(limit + 1);
  if (available > limit) throw new Foreign(new CofferError("document-too-long"));
  return reader.take(available);
}
