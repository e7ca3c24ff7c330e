/** Constants of algorithm suite 0x0478 and of the framed body (AWS ESDK specification: data-format, algorithm-suites). */

import { utf8 } from "../bytes.ts";
import { CofferError } from "../error.ts";

export const MESSAGE_VERSION = 2;
export const SUITE_ID = 0x0478;
export const CONTENT_FRAMED = 2;
export const MESSAGE_ID_LENGTH = 32;
export const COMMITMENT_LENGTH = 32;
export const IV_LENGTH = 12;
export const TAG_LENGTH = 16;
/** Marks the final frame in place of a sequence number. */
export const END = 0xffffffff;

/** Frame length that we write: 256 KiB, where WebCrypto is fastest. */
export const FRAME_LENGTH = 256 << 10;
/** Longest frame that we read; longer ones would not be bounded memory. */
export const MAX_FRAME_LENGTH = 16 << 20;
/** Longest header that we read or write. */
export const MAX_HEADER_LENGTH = 64 << 10;

/** HKDF info of the message key: suite id and label (ESDK algorithm-suites, "HKDF with key commitment"). */
export const DERIVE_INFO = new Uint8Array([SUITE_ID >> 8, SUITE_ID & 0xff, ...utf8("DERIVEKEY")]);
export const COMMIT_INFO = utf8("COMMITKEY");
export const REGULAR_CONTENT = utf8("AWSKMSEncryptionClient Frame");
export const FINAL_CONTENT = utf8("AWSKMSEncryptionClient Final Frame");

/** The one error of everything that can be wrong with a sealed message. */
export function decryptFailed(): CofferError {
  return new CofferError("decrypt-failed", { message: "the document could not be decrypted" });
}
