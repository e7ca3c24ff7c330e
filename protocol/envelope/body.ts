/** Reads and decrypts bodies: frames in groups, several under way, or the single block of a message that is not framed. */
import { BLOCK_OVERHEAD, blockAad, FINAL_OVERHEAD, frameAad, MAX_FRAMES, overheadOf } from "./frame.ts";
import type { Header } from "./header.ts";
import type { EnvelopeCrypto } from "./keys.ts";
import { LAYER_OVERHEAD, layerAad } from "./layer.ts";
import { flow, type Job } from "./pipeline.ts";
import type { ByteReader } from "./reader.ts";
import { decryptFailed, END, IV_LENGTH, TAG_LENGTH } from "./suite.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** A message whose header has verified, the key of its body, and that of the second layer where the header names one. */
export type Opened = { subtle: EnvelopeCrypto; header: Header; key: CryptoKey; layerKey?: CryptoKey };

/** Bytes of a regular frame before its ciphertext: sequence number and IV. */
const START = 4 + IV_LENGTH;

/** Gives on what has verified: plaintexts that follow each other, the first of which begins at `position`. */
export type Deliver = (plaintexts: Bytes[], position: number) => Bytes[];

/**
 * The frames from number `first` on, which `reader` is at: to number `last`, none of which may be the final frame, or
 * through the final frame, after which nothing may follow. Each is authenticated as the one of its number.
 */
export async function* frameJobs(
  reader: ByteReader,
  opened: Opened,
  deliver: Deliver,
  { first, last }: { first: number; last?: number } = { first: 1 },
): AsyncGenerator<Job, void> {
  const { header } = opened;
  const { frameLength } = header;
  const sealed = frameLength + overheadOf(header).regular;
  const group = flow(frameLength).frames;
  const decrypt = async (frames: Frame[], position: number): Promise<Bytes[]> =>
    deliver(await Promise.all(frames.map((frame) => decryptFrame(opened, frame))), position);

  for (let sequence = first, ended = false; !ended; ) {
    const position = (sequence - 1) * frameLength;
    const count = last === undefined ? group : Math.min(group, last + 1 - sequence);
    const frames: Frame[] = [];
    // Each is taken by itself, its start apart, so that a frame within one chunk, as a writer's own come, is not copied.
    for (let there = await reader.fill(sealed * count); frames.length < count && there >= sealed; ) {
      const start = reader.take(START);
      const number = new DataView(start.buffer, start.byteOffset).getUint32(0);
      if (last === undefined && number === END) {
        reader.untake(start);
        break;
      }
      if (number !== sequence || sequence > MAX_FRAMES) throw decryptFailed();
      const rest = reader.take(sealed - START);
      frames.push({ iv: start.subarray(4), sealed: rest, length: frameLength, sequence, final: false });
      sequence++;
      there -= sealed;
    }
    if (last !== undefined) {
      if (frames.length < count) throw decryptFailed();
      ended = sequence > last;
    } else if (frames.length < count) {
      frames.push(await readFinalFrame(reader, header, sequence));
      ended = true;
    }
    yield { chunks: decrypt(frames, position) };
  }
}

/** The body of a message that is not framed, which is there whole. */
export async function decryptBlock({ subtle, header, key }: Opened, body: Bytes): Promise<Bytes> {
  if (body.length < BLOCK_OVERHEAD) throw decryptFailed();
  const length = body.length - BLOCK_OVERHEAD;
  const view = new DataView(body.buffer, body.byteOffset, body.length);
  if (view.getBigUint64(IV_LENGTH) !== BigInt(length)) throw decryptFailed();
  const iv = body.subarray(0, IV_LENGTH);
  return decrypt(subtle, key, iv, blockAad(header.messageId, length), body.subarray(IV_LENGTH + 8));
}

/** `length`: bytes of its plaintext. */
type Frame = { iv: Bytes; sealed: Bytes; length: number; sequence: number; final: boolean };

/** Reads the final frame, after which nothing may follow. */
async function readFinalFrame(reader: ByteReader, header: Header, sequence: number): Promise<Frame> {
  const start = FINAL_OVERHEAD - TAG_LENGTH;
  if ((await reader.fill(start)) < start) throw decryptFailed();
  const head = reader.take(start);
  const view = new DataView(head.buffer, head.byteOffset, start);
  const length = view.getUint32(start - 4);
  if (view.getUint32(0) !== END || view.getUint32(4) !== sequence || length > header.frameLength)
    throw decryptFailed();
  const rest = length + TAG_LENGTH + (header.layer === undefined ? 0 : LAYER_OVERHEAD);
  if ((await reader.fill(rest + 1)) !== rest) throw decryptFailed();
  return { iv: head.subarray(8, 8 + IV_LENGTH), sealed: reader.take(rest), length, sequence, final: true };
}

async function decryptFrame({ subtle, header, key, layerKey }: Opened, frame: Frame): Promise<Bytes> {
  const { iv, sealed, length, sequence, final } = frame;
  const once = layerKey
    ? await decrypt(subtle, layerKey, iv, layerAad(header, sequence, length, final), sealed)
    : sealed;
  return decrypt(subtle, key, iv, frameAad(header.messageId, sequence, length, final), once);
}

/** Decrypts with the IV that the message carries: other writers number IVs otherwise than frames. */
async function decrypt(
  subtle: EnvelopeCrypto,
  key: CryptoKey,
  iv: Bytes,
  additionalData: Bytes,
  sealed: Bytes,
): Promise<Bytes> {
  const algorithm = { name: "AES-GCM", iv, additionalData, tagLength: 8 * TAG_LENGTH };
  return new Uint8Array(await subtle.decrypt(algorithm, key, sealed));
}
