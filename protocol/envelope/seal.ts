/** Sealing: plaintext in, message out, in one pass and before the length is known. */
import { concat } from "../bytes.ts";
import { CofferError } from "../error.ts";
import type { EncryptionContext } from "./context.ts";
import { frameAad, frameIv, frameStart, MAX_FRAMES } from "./frame.ts";
import { type EncryptedDataKey, type Header, serialiseHeader } from "./header.ts";
import { deriveCommitment, deriveMessageKey, type EnvelopeCrypto, tagHeader } from "./keys.ts";
import { deriveLayerKey, type Layer, layerAad } from "./layer.ts";
import { layerEntry } from "./layer-name.ts";
import { flow, type Job, pipeline } from "./pipeline.ts";
import { ByteReader, Foreign, type Source } from "./reader.ts";
import { FRAME_LENGTH, MESSAGE_ID_LENGTH, SUITE, TAG_LENGTH } from "./suite.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/**
 * A message that may be gone on with. Under one message id a frame's number is used for one plaintext alone, so each tag is kept
 * before what it authenticates may leave; where one is kept already, the same bytes were encrypted before.
 */
export type KeptMessage = {
  /** 32 bytes, random when the message was begun. */
  messageId: Bytes;
  /**
   * Whether these are the tags, 16 bytes each, of the header (`first` 0) or of the frames from `first` on. Where none are kept they
   * are from now on, for good before this resolves.
   */
  settle(first: number, tags: Bytes): Promise<boolean>;
};

export type SealOptions = {
  subtle: EnvelopeCrypto;
  /** Fills an array with random bytes, as `crypto.getRandomValues`. A message id is never used for other content. */
  random(array: Bytes): Bytes;
  /** HKDF key, not extractable, the single usage deriveKey. */
  dataKey: CryptoKey;
  /** Names that begin with `aws-crypto-` are the format's own and refused. */
  context: EncryptionContext;
  /** 1 to 16; written into the header. */
  encryptedDataKeys: EncryptedDataKey[];
  /** Puts a second layer on, under a key that is derived from this one (W14). */
  layer?: Layer | undefined;
  /** Goes on with this message, from its beginning: what is not as it was then errs with `source-changed`. Default: a new one. */
  kept?: KeptMessage | undefined;
  /** Plaintext bytes a frame, default 256 KiB. */
  frameLength?: number;
  signal?: AbortSignal;
  /** Called with the plaintext bytes encrypted so far. */
  onProgress?(bytes: number): void;
};

/**
 * Seals `source`. The first chunk is the whole header; then each frame comes in two, its start and its ciphertext, as joining
 * them would copy all of it once more. Every chunk is a buffer of its own. The stream errs with the source's own error, the signal's
 * reason, or `source-changed` (a File on a disk), `key-unusable`, `header-too-long`, `context-invalid`, `document-too-long`.
 *
 * @example
 * const message = seal(file, { subtle, random, dataKey, context, encryptedDataKeys });
 */
export function seal(source: Source, options: SealOptions): ReadableStream<Bytes> {
  const reader = new ByteReader(source);
  const { depth } = flow(options.frameLength ?? FRAME_LENGTH);
  return pipeline(jobs(reader, options), reader, {
    depth,
    ...(options.signal ? { signal: options.signal } : {}),
    mapError: (reason) => (reason instanceof Foreign ? reason.reason : reason),
  });
}

/** The same as a pair to `pipeThrough`. */
export function sealStream(options: SealOptions): ReadableWritablePair<Bytes, Uint8Array> {
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  return { readable: seal(readable, options), writable };
}

async function* jobs(reader: ByteReader, options: SealOptions): AsyncGenerator<Job, void> {
  const { subtle, dataKey, context, layer, frameLength = FRAME_LENGTH } = options;
  const encryptedDataKeys = [...options.encryptedDataKeys, ...(layer ? [layerEntry(layer.id)] : [])];
  const { kept } = options;
  const messageId = kept?.messageId ?? options.random(new Uint8Array(MESSAGE_ID_LENGTH));
  const [commitment, key, layerKey] = await Promise.all([
    deriveCommitment(subtle, dataKey, messageId),
    deriveMessageKey(subtle, dataKey, { suite: SUITE, messageId }, "encrypt"),
    layer && deriveLayerKey(subtle, layer.key, { messageId }, "encrypt"),
  ]);
  const header = serialiseHeader({ messageId, context, encryptedDataKeys, frameLength, commitment });
  const chunks = tagHeader(subtle, key, header.body).then(async (tag) => {
    // The header has its nonce too: another one may not be tagged by this key.
    await settle(kept, 0, [tag]);
    return [concat(header.body, tag)];
  });
  // No tag of a frame is kept for a header that is another one.
  if (kept) await chunks;
  yield { chunks };

  let done = 0;
  const group = flow(frameLength).frames * frameLength;
  const sealing: Sealing = { subtle, header, key, layerKey, kept };
  const encrypt = async (block: Bytes, sequence: number, last: boolean): Promise<Bytes[]> => {
    const chunks = await encryptFrames(sealing, block, sequence, last);
    done += block.length;
    options.onProgress?.(done);
    return chunks;
  };
  for (let sequence = 1, last = false; !last; sequence += group / frameLength) {
    // One byte more than a group tells whether the group holds the final frame.
    last = (await reader.fill(group + 1)) <= group;
    const block = reader.take(last ? await reader.fill(0) : group);
    if (sequence + group / frameLength > MAX_FRAMES) throw new CofferError("document-too-long");
    yield { chunks: encrypt(block, sequence, last) };
  }
}

/** What the frames of one message are encrypted with. */
type Sealing = {
  subtle: EnvelopeCrypto;
  header: Header;
  key: CryptoKey;
  layerKey: CryptoKey | undefined;
  kept: KeptMessage | undefined;
};

/** Encrypts the frames of `block`, all at once; `sequence` is that of the first. Returns them as they stand in a message, in pieces. */
async function encryptFrames(
  { subtle, header, key, layerKey, kept }: Sealing,
  block: Bytes,
  sequence: number,
  last: boolean,
): Promise<Bytes[]> {
  const { frameLength, messageId } = header;
  const frames = Math.max(1, Math.ceil(block.length / frameLength));
  const sealed = await Promise.all(
    Array.from({ length: frames }, async (_, i) => {
      const plaintext = block.subarray(i * frameLength, (i + 1) * frameLength);
      const { length } = plaintext;
      const final = last && i === frames - 1;
      const at = sequence + i;
      const iv = frameIv(at);
      const encrypt = (by: CryptoKey, additionalData: Bytes, bytes: Bytes | ArrayBuffer) =>
        subtle.encrypt({ name: "AES-GCM", iv, additionalData, tagLength: 8 * TAG_LENGTH }, by, bytes);
      const once = await encrypt(key, frameAad(messageId, at, length, final), plaintext);
      const whole = layerKey ? await encrypt(layerKey, layerAad(header, at, length, final), once) : once;
      const tag = new Uint8Array(once, once.byteLength - TAG_LENGTH);
      return { pieces: [frameStart(at, final && length), new Uint8Array(whole)], tag };
    }),
  );
  await settle(
    kept,
    sequence,
    sealed.map(({ tag }) => tag),
  );
  return sealed.flatMap(({ pieces }) => pieces);
}

async function settle(kept: KeptMessage | undefined, first: number, tags: Uint8Array[]): Promise<void> {
  if (kept !== undefined && !(await kept.settle(first, concat(...tags))))
    throw new CofferError("source-changed");
}
