/** The algorithm suites of message format 2, and constants of header and body (AWS ESDK specification: data-format, algorithm-suites). */

import { utf8 } from "../bytes.ts";
import { COMMITMENT_INFO, messageKeyInfo, SUITE_ID } from "../derived.ts";
import { CofferError } from "../error.ts";

export const MESSAGE_VERSION = 2;
export const CONTENT_UNFRAMED = 1;
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
/** Bytes of a signed or unframed message that a reader holds, where it is not told otherwise: none of it may be released before its end. */
export const MAX_HELD_LENGTH = 64 << 20;

/** AES-256-GCM under a key of HKDF-SHA-512 with key commitment; suites without commitment are not read. */
export type Suite = {
  id: number;
  /** HKDF info of the message key: suite id and label (ESDK algorithm-suites, "HKDF with key commitment"). */
  deriveInfo: Uint8Array<ArrayBuffer>;
  /** Whether a footer with a signature (ECDSA of P-384 with SHA-384) follows the body. */
  signed: boolean;
};

/** The suite that we write: a signature would have the whole message read before any of it may be released. */
export const SUITE: Suite = /* @__PURE__ */ suiteOf(SUITE_ID, false);
const SIGNED_SUITE: Suite = /* @__PURE__ */ suiteOf(0x0578, true);

/** The suite of an id; undefined for one that is not read. */
export function findSuite(id: number): Suite | undefined {
  return [SUITE, SIGNED_SUITE].find((suite) => suite.id === id);
}

function suiteOf(id: number, signed: boolean): Suite {
  return { id, deriveInfo: messageKeyInfo(id), signed };
}

export const COMMIT_INFO = COMMITMENT_INFO;
export const REGULAR_CONTENT = utf8("AWSKMSEncryptionClient Frame");
export const FINAL_CONTENT = utf8("AWSKMSEncryptionClient Final Frame");
export const UNFRAMED_CONTENT = utf8("AWSKMSEncryptionClient Single Block");

/** The one error of everything that can be wrong with a sealed message. */
export function decryptFailed(): CofferError {
  return new CofferError("decrypt-failed", { message: "the document could not be decrypted" });
}
