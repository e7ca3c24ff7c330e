/** The body (ESDK data-format/message-body): layout of frames and of the single block, additional data, lengths. */
import {
  END,
  FINAL_CONTENT,
  FRAME_LENGTH,
  IV_LENGTH,
  MESSAGE_ID_LENGTH,
  REGULAR_CONTENT,
  TAG_LENGTH,
  UNFRAMED_CONTENT,
} from "./suite.ts";

/** Bytes that a regular frame adds: sequence number, IV, tag. */
export const REGULAR_OVERHEAD = 4 + IV_LENGTH + TAG_LENGTH;
/** Bytes that the final frame adds: end mark, sequence number, IV, content length, tag. */
export const FINAL_OVERHEAD = 4 + 4 + IV_LENGTH + 4 + TAG_LENGTH;
/** Bytes that an unframed body adds: IV, content length, tag. */
export const BLOCK_OVERHEAD = IV_LENGTH + 8 + TAG_LENGTH;
/** Sequence numbers run from 1 to 2^32 - 2, so that none looks like the end mark. */
export const MAX_FRAMES = END - 1;

/** Length in bytes of the sealed message of `length` plaintext bytes under a header (with tag) of `headerLength`; `layer` as the header names one. */
export function sealedLength(
  length: number,
  headerLength: number,
  frameLength: number = FRAME_LENGTH,
  layer?: string,
): number {
  const frames = Math.max(1, Math.ceil(length / frameLength));
  const { regular, final } = overheadOf({ layer });
  return headerLength + length + (frames - 1) * regular + final;
}

/** Bytes that a frame adds to its plaintext; a second layer (W14) adds a tag of its own. */
export function overheadOf({ layer }: { layer?: string | undefined }): { regular: number; final: number } {
  const more = layer === undefined ? 0 : TAG_LENGTH;
  return { regular: REGULAR_OVERHEAD + more, final: FINAL_OVERHEAD + more };
}

/** The IV that we write: the sequence number in 12 bytes. Readers take the stored one. */
export function frameIv(sequence: number): Uint8Array<ArrayBuffer> {
  const iv = new Uint8Array(IV_LENGTH);
  new DataView(iv.buffer).setUint32(IV_LENGTH - 4, sequence);
  return iv;
}

/** Additional data of a frame: message id, content string, sequence number, content length (ESDK message-body-aad). */
export function frameAad(
  messageId: Uint8Array,
  sequence: number,
  length: number,
  final: boolean,
): Uint8Array<ArrayBuffer> {
  return bodyAad(messageId, final ? FINAL_CONTENT : REGULAR_CONTENT, sequence, length);
}

/** Additional data of the one block of a body that is not framed; its sequence number is 1. */
export function blockAad(messageId: Uint8Array, length: number): Uint8Array<ArrayBuffer> {
  return bodyAad(messageId, UNFRAMED_CONTENT, 1, length);
}

function bodyAad(
  messageId: Uint8Array,
  content: Uint8Array,
  sequence: number,
  length: number,
): Uint8Array<ArrayBuffer> {
  const aad = new Uint8Array(MESSAGE_ID_LENGTH + content.length + 12);
  aad.set(messageId);
  aad.set(content, MESSAGE_ID_LENGTH);
  const view = new DataView(aad.buffer, MESSAGE_ID_LENGTH + content.length);
  view.setUint32(0, sequence);
  view.setBigUint64(4, BigInt(length));
  return aad;
}

/** What stands before the ciphertext of a frame; `final` is the content length of the final frame, `false` of the others. */
export function frameStart(sequence: number, final: number | false): Uint8Array<ArrayBuffer> {
  const start = new Uint8Array((final === false ? REGULAR_OVERHEAD : FINAL_OVERHEAD) - TAG_LENGTH);
  const view = new DataView(start.buffer);
  let at = 0;
  if (final !== false) {
    view.setUint32(0, END);
    at = 4;
  }
  view.setUint32(at, sequence);
  start.set(frameIv(sequence), at + 4);
  if (final !== false) view.setUint32(at + 4 + IV_LENGTH, final);
  return start;
}
