/** The message header, version 2 (ESDK data-format/message-header). Immutable once written: it is never re-tagged. */
import { concat, utf8 } from "../bytes.ts";
import { CofferError } from "../error.ts";
import { type EncryptionContext, parseContext, RESERVED_PREFIX, serialiseContext, u16 } from "./context.ts";
import { layerOf } from "./layer-name.ts";
import {
  COMMITMENT_LENGTH,
  CONTENT_FRAMED,
  CONTENT_UNFRAMED,
  decryptFailed,
  findSuite,
  MAX_FRAME_LENGTH,
  MAX_HEADER_LENGTH,
  MESSAGE_ID_LENGTH,
  MESSAGE_VERSION,
  SUITE,
  type Suite,
  TAG_LENGTH,
} from "./suite.ts";

const MAX_ENCRYPTED_DATA_KEYS = 16;

/** `providerId` is a UTF-8 text; `providerInfo` and `encryptedDataKey` are bytes, up to 65,535 each. */
export type EncryptedDataKey = { providerId: string; providerInfo: Uint8Array; encryptedDataKey: Uint8Array };

export type Header = {
  suite: Suite;
  /** 32 random bytes, the HKDF salt. */
  messageId: Uint8Array<ArrayBuffer>;
  context: EncryptionContext;
  encryptedDataKeys: EncryptedDataKey[];
  /** Identifier of the key of the second layer (W14); undefined where there is none. */
  layer: string | undefined;
  /** Plaintext bytes of each frame but the final one; 0 in a message that is not framed. */
  frameLength: number;
  /** 32 bytes that commit to the data key. */
  commitment: Uint8Array<ArrayBuffer>;
  /** The header without its tag: what the tag authenticates. */
  body: Uint8Array<ArrayBuffer>;
  /** 16 bytes; empty in a header that is being written. */
  tag: Uint8Array<ArrayBuffer>;
  /** Bytes of header and tag: where the first frame begins. */
  length: number;
};

/** Writes the header of a framed message of suite 0x0478, up to its tag. Throws `header-too-long` and `context-invalid`. */
export function serialiseHeader(
  parts: Pick<Header, "messageId" | "context" | "encryptedDataKeys" | "frameLength" | "commitment">,
): Header {
  const { encryptedDataKeys, frameLength } = parts;
  if (parts.messageId.length !== MESSAGE_ID_LENGTH) throw new RangeError("message id must be 32 bytes");
  if (parts.commitment.length !== COMMITMENT_LENGTH) throw new RangeError("commitment must be 32 bytes");
  if (!Number.isInteger(frameLength) || frameLength < 1 || frameLength > MAX_FRAME_LENGTH) {
    throw new RangeError("frame length out of range");
  }
  if (encryptedDataKeys.length < 1 || encryptedDataKeys.length > MAX_ENCRYPTED_DATA_KEYS) {
    throw new RangeError("1 to 16 encrypted data keys");
  }
  if (Object.keys(parts.context).some((key) => key.startsWith(RESERVED_PREFIX))) {
    throw new CofferError("context-invalid");
  }
  const fields = encryptedDataKeys.flatMap((key) =>
    [utf8(key.providerId), key.providerInfo, key.encryptedDataKey].flatMap((field) => [
      u16(field.length),
      field,
    ]),
  );
  const frame = new Uint8Array(4);
  new DataView(frame.buffer).setUint32(0, frameLength);
  const body = concat(
    new Uint8Array([MESSAGE_VERSION, SUITE.id >> 8, SUITE.id & 0xff]),
    parts.messageId,
    serialiseContext(parts.context),
    u16(encryptedDataKeys.length),
    ...fields,
    new Uint8Array([CONTENT_FRAMED]),
    frame,
    parts.commitment,
  );
  const length = body.length + TAG_LENGTH;
  if (length > MAX_HEADER_LENGTH) throw new CofferError("header-too-long");
  const layer = layerOf(encryptedDataKeys);
  return { ...parts, suite: SUITE, layer, body, tag: new Uint8Array(), length };
}

/**
 * Parses the header at the start of `bytes`. Returns null when more bytes are needed (and fewer than 64 KiB are there);
 * throws `decrypt-failed` for anything that is no message of suite 0x0478 or 0x0578. Nothing is authenticated yet.
 */
export function parseHeader(bytes: Uint8Array): Header | null {
  const limit = Math.min(bytes.length, MAX_HEADER_LENGTH);
  const view = new DataView(bytes.buffer, bytes.byteOffset, limit);
  let at = 0;
  /** Start of the next `length` bytes, or -1 when they are not there yet. */
  const skip = (length: number) => {
    if (at + length > MAX_HEADER_LENGTH) throw decryptFailed();
    if (at + length > limit) throw MORE;
    at += length;
    return at - length;
  };
  const number = () => view.getUint16(skip(2));
  const take = (length: number) => {
    const start = skip(length);
    return bytes.slice(start, start + length) as Uint8Array<ArrayBuffer>;
  };
  try {
    if (view.getUint8(skip(1)) !== MESSAGE_VERSION) throw decryptFailed();
    const suite = findSuite(number());
    if (!suite) throw decryptFailed();
    const messageId = take(MESSAGE_ID_LENGTH);
    const context = parseContext(take(number()));
    const count = number();
    if (count < 1 || count > MAX_ENCRYPTED_DATA_KEYS) throw decryptFailed();
    const encryptedDataKeys: EncryptedDataKey[] = [];
    for (let i = 0; i < count; i++) {
      const providerId = decode(take(number()));
      const providerInfo = take(number());
      encryptedDataKeys.push({ providerId, providerInfo, encryptedDataKey: take(number()) });
    }
    const layer = layerOf(encryptedDataKeys);
    const content = view.getUint8(skip(1));
    const frameLength = view.getUint32(skip(4));
    if (content === CONTENT_FRAMED ? frameLength < 1 || frameLength > MAX_FRAME_LENGTH : frameLength !== 0) {
      throw decryptFailed();
    }
    if (content !== CONTENT_FRAMED && content !== CONTENT_UNFRAMED) throw decryptFailed();
    if (layer !== undefined && (suite.signed || frameLength === 0)) throw decryptFailed();
    const commitment = take(COMMITMENT_LENGTH);
    const body = bytes.slice(0, at) as Uint8Array<ArrayBuffer>;
    const tag = take(TAG_LENGTH);
    const names = { suite, messageId, context, encryptedDataKeys, layer };
    return { ...names, frameLength, commitment, body, tag, length: at };
  } catch (error) {
    if (error === MORE) return null;
    throw decryptFailed();
  }
}

/** Thrown and caught here alone: the bytes end inside the header. */
const MORE = new Error("more bytes needed");

/** The provider of a foreign writer may be any bytes; it is compared, never shown. */
function decode(bytes: Uint8Array): string {
  return new TextDecoder("utf-8", { fatal: false, ignoreBOM: true }).decode(bytes);
}
