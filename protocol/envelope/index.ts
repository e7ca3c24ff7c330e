/**
 * The document format: AWS Encryption SDK message format 2 (AES-256-GCM, HKDF-SHA-512, key commitment). Writes suite 0x0478, unsigned
 * and framed, with a second layer where one is wanted; reads 0x0578 too, which is signed, and what is not framed. Seals and opens as streams; the data key is
 * an HKDF key with the usage deriveKey alone.
 * May import: protocol/*.ts. Imported by web/microservice, web/client (headers, lengths), cli and tests.
 */

export type { ByteRange } from "../byte-range.ts";
export { type EncryptionContext, equalContext } from "./context.ts";
export { attachKey, detachKey } from "./detached-key.ts";
export { type Excerpt, excerptOf, openExcerpt } from "./excerpt.ts";
export { MAX_FRAMES, sealedLength } from "./frame.ts";
export { type EncryptedDataKey, type Header, parseHeader, serialiseHeader } from "./header.ts";
export { type HttpSourceOptions, httpSource } from "./http-source.ts";
export type { EnvelopeCrypto } from "./keys.ts";
export type { Layer } from "./layer.ts";
export { open, openStream } from "./open.ts";
export type { OpenOptions } from "./opening.ts";
export { type Draft, draftMessage, joinMessage, type Piece, splitMessage } from "./pieces.ts";
export { type MessageSlice, openRanged, type RangedMessage } from "./ranged.ts";
export type { RangedSource, SourcePart } from "./ranged-source.ts";
export { type RawAesKeyring, wrapRawAes } from "./raw-aes-keyring.ts";
export type { Source } from "./reader.ts";
export { type KeptMessage, type SealOptions, seal, sealStream } from "./seal.ts";
export {
  FRAME_LENGTH,
  MAX_FRAME_LENGTH,
  MAX_HEADER_LENGTH,
  MAX_HELD_LENGTH,
  MESSAGE_ID_LENGTH,
} from "./suite.ts";
