/**
 * A short message in pieces, for one who has no key but can have each piece encrypted or decrypted by who has: the header, which is a piece
 * without content, and the frames. Suite 0x0478 alone, framed, without a second layer.
 */
import { concat } from "../bytes.ts";
import type { EncryptionContext } from "./context.ts";
import { frameAad, frameIv, frameStart } from "./frame.ts";
import { type EncryptedDataKey, type Header, parseHeader, serialiseHeader } from "./header.ts";
import {
  COMMITMENT_LENGTH,
  decryptFailed,
  END,
  FRAME_LENGTH,
  IV_LENGTH,
  SUITE,
  TAG_LENGTH,
} from "./suite.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** A frame for AES-256-GCM: 12 bytes of nonce; plaintext, or ciphertext with its tag of 16 bytes. */
export type Piece = { iv: Bytes; additionalData: Bytes; bytes: Bytes };

/** Frames of a message that is read in pieces: each is a request of its own to who has the key. */
export const MAX_PIECES = 64;

/** What a message is made of: `start` is its header up to the commitment, which 32 bytes of commitment follow. */
export type Draft = { messageId: Bytes; start: Bytes; pieces: Piece[] };

/** A message of this plaintext, of which commitment, header's tag and ciphertexts are missing. Errors: `header-too-long`, `context-invalid`. */
export function draftMessage(
  data: Bytes,
  parts: { messageId: Bytes; context: EncryptionContext; encryptedDataKeys: EncryptedDataKey[] },
): Draft {
  const { messageId } = parts;
  const frames = Math.max(1, Math.ceil(data.length / FRAME_LENGTH));
  const pieces = Array.from({ length: frames }, (_, index): Piece => {
    const bytes = data.slice(index * FRAME_LENGTH, (index + 1) * FRAME_LENGTH);
    const sequence = index + 1;
    const additionalData = frameAad(messageId, sequence, bytes.length, sequence === frames);
    return { iv: frameIv(sequence), additionalData, bytes };
  });
  const commitment = new Uint8Array(COMMITMENT_LENGTH);
  const { body } = serialiseHeader({ ...parts, frameLength: FRAME_LENGTH, commitment });
  return { messageId, start: body.slice(0, -COMMITMENT_LENGTH), pieces };
}

/** The message: `tag` is the header's, `sealed` the ciphertext and tag of each piece. */
export function joinMessage(
  { start, pieces }: Draft,
  { commitment, tag, sealed }: { commitment: Bytes; tag: Bytes; sealed: readonly Bytes[] },
): Bytes {
  const lengths = [commitment.length, tag.length, sealed.length];
  if (lengths.join() !== [COMMITMENT_LENGTH, TAG_LENGTH, pieces.length].join())
    throw new TypeError("not what the message lacks");
  const body = pieces.flatMap(({ bytes: { length } }, index) => {
    const ciphertext = sealed[index];
    if (ciphertext?.length !== length + TAG_LENGTH) throw new TypeError("not the ciphertext of that piece");
    return [frameStart(index + 1, index + 1 === pieces.length && length), ciphertext];
  });
  return concat(start, commitment, tag, ...body);
}

/** A message's header, which is not authenticated yet, and its frames, of which none is left out. Throws `decrypt-failed`. */
export function splitMessage(message: Bytes): { header: Header; pieces: Piece[] } {
  const header = parseHeader(message);
  if (!header || header.suite !== SUITE || header.frameLength === 0 || header.layer !== undefined)
    throw decryptFailed();
  const pieces: Piece[] = [];
  const view = new DataView(message.buffer, message.byteOffset, message.length);
  let at = header.length;
  const take = (length: number): Bytes => {
    if (at + length > message.length) throw decryptFailed();
    at += length;
    return message.slice(at - length, at);
  };
  const number = (): number => {
    take(4);
    return view.getUint32(at - 4);
  };
  for (let final = false; !final; ) {
    const sequence = pieces.length + 1;
    const first = number();
    final = first === END;
    if ((final ? number() : first) !== sequence || sequence > MAX_PIECES) throw decryptFailed();
    const iv = take(IV_LENGTH);
    const length = final ? number() : header.frameLength;
    if (length > header.frameLength) throw decryptFailed();
    const additionalData = frameAad(header.messageId, sequence, length, final);
    pieces.push({ iv, additionalData, bytes: take(length + TAG_LENGTH) });
  }
  if (at !== message.length) throw decryptFailed();
  return { header, pieces };
}
