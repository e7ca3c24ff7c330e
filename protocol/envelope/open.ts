/** Opening: message in, plaintext out, frame by frame. Only a stream that has closed was complete and genuine. */
import { type EncryptionContext, equalContext } from "./context.ts";
import { FINAL_OVERHEAD, frameAad, MAX_FRAMES, REGULAR_OVERHEAD } from "./frame.ts";
import { type Header, parseHeader } from "./header.ts";
import { type EnvelopeCrypto, verifyHeader } from "./keys.ts";
import { flow, type Job, pipeline } from "./pipeline.ts";
import { ByteReader, Foreign, type Source } from "./reader.ts";
import { decryptFailed, END, IV_LENGTH, MAX_HEADER_LENGTH, TAG_LENGTH } from "./suite.ts";

type Bytes = Uint8Array<ArrayBuffer>;

export type OpenOptions = {
  subtle: EnvelopeCrypto;
  /** Gives the data key for a header that is not yet authenticated; its own errors pass through. */
  dataKey(header: Header): CryptoKey | Promise<CryptoKey>;
  /** What the message's context must equal, pair for pair. */
  context: EncryptionContext;
  signal?: AbortSignal;
  /** Called with the plaintext bytes decrypted so far. */
  onProgress?(bytes: number): void;
};

/**
 * Opens `source`. Frames are released as they verify; the stream closes only after the final frame has verified and
 * the source has ended there. Everything wrong with the message is `decrypt-failed`, without detail; the source's and
 * the key's own errors and the signal's reason pass through.
 */
export function open(source: Source, options: OpenOptions): ReadableStream<Bytes> {
  const reader = new ByteReader(source);
  return pipeline(jobs(reader, options), reader, {
    depth: 3,
    ...(options.signal ? { signal: options.signal } : {}),
    mapError: (reason) => (reason instanceof Foreign ? reason.reason : decryptFailed()),
  });
}

/** The same as a pair to `pipeThrough`. */
export function openStream(options: OpenOptions): ReadableWritablePair<Bytes, Uint8Array> {
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  return { readable: open(readable, options), writable };
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

async function* jobs(reader: ByteReader, options: OpenOptions): AsyncGenerator<Job, void> {
  const header = await readHeader(reader);
  if (!equalContext(header.context, options.context)) throw decryptFailed();
  let dataKey: CryptoKey;
  try {
    dataKey = await options.dataKey(header);
  } catch (reason) {
    throw new Foreign(reason);
  }
  const key = await verifyHeader(options.subtle, dataKey, header);

  let done = 0;
  const decrypt = async (frames: Frame[]): Promise<Bytes[]> => {
    const plaintexts = await Promise.all(
      frames.map((frame) => decryptFrame(options.subtle, key, header, frame)),
    );
    for (const plaintext of plaintexts) done += plaintext.length;
    options.onProgress?.(done);
    return plaintexts;
  };

  const { frameLength } = header;
  const sealed = frameLength + REGULAR_OVERHEAD;
  const group = flow(frameLength).frames * sealed;
  for (let sequence = 1, last = false; !last; ) {
    const block = reader.take(Math.min(group, await reader.fill(group)));
    const view = new DataView(block.buffer, block.byteOffset, block.length);
    const frames: Frame[] = [];
    let at = 0;
    for (; at + sealed <= block.length && view.getUint32(at) !== END; at += sealed, sequence++) {
      if (view.getUint32(at) !== sequence || sequence > MAX_FRAMES) throw decryptFailed();
      frames.push(frameAt(block, at + 4, frameLength, sequence, false));
    }
    if (at < block.length || frames.length === 0) {
      reader.untake(block.subarray(at));
      frames.push(await readFinalFrame(reader, frameLength, sequence));
      last = true;
    }
    yield { chunks: decrypt(frames) };
  }
}

type Frame = { iv: Bytes; sealed: Bytes; sequence: number; final: boolean };

/** The frame whose IV begins at `at`, when nothing but the ciphertext of `length` bytes follows it. */
function frameAt(block: Bytes, at: number, length: number, sequence: number, final: boolean): Frame {
  const start = at + IV_LENGTH;
  const sealed = block.subarray(start, start + length + TAG_LENGTH);
  return { iv: block.subarray(at, start), sealed, sequence, final };
}

/** Reads the final frame, after which nothing may follow. */
async function readFinalFrame(reader: ByteReader, frameLength: number, sequence: number): Promise<Frame> {
  const start = FINAL_OVERHEAD - TAG_LENGTH;
  if ((await reader.fill(start)) < start) throw decryptFailed();
  const head = reader.take(start);
  const view = new DataView(head.buffer, head.byteOffset, start);
  const length = view.getUint32(start - 4);
  if (view.getUint32(0) !== END || view.getUint32(4) !== sequence || length > frameLength)
    throw decryptFailed();
  const rest = length + TAG_LENGTH;
  if ((await reader.fill(rest + 1)) !== rest) throw decryptFailed();
  return { iv: head.subarray(8, 8 + IV_LENGTH), sealed: reader.take(rest), sequence, final: true };
}

/** Decrypts with the IV that the frame carries: other writers number IVs otherwise than frames. */
async function decryptFrame(
  subtle: EnvelopeCrypto,
  key: CryptoKey,
  header: Header,
  frame: Frame,
): Promise<Bytes> {
  const { iv, sealed, sequence, final } = frame;
  const additionalData = frameAad(header.messageId, sequence, sealed.length - TAG_LENGTH, final);
  const algorithm = { name: "AES-GCM", iv, additionalData, tagLength: 8 * TAG_LENGTH };
  return new Uint8Array(await subtle.decrypt(algorithm, key, sealed));
}
