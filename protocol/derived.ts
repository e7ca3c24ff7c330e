/**
 * What is derived from a data key, by HKDF with SHA-512 (RFC 5869): the infos. The first two are the algorithm suite's (AWS Encryption
 * SDK, algorithm-suites, "HKDF with key commitment"), with the message id as salt; the third is ours, without a salt.
 */
import { utf8 } from "./bytes.ts";

/** Of the message key of a suite: its id in two bytes, and a label. */
export function messageKeyInfo(suite: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array([suite >> 8, suite & 0xff, ...utf8("DERIVEKEY")]);
}

/** The suite that is written: AES-256-GCM with commitment, unsigned. */
export const SUITE_ID = 0x0478;
export const COMMITMENT_INFO = /* @__PURE__ */ utf8("COMMITKEY");
/** Of a key for HMAC-SHA-256: no message of the document format comes out of a key for MACs. */
export const MAC_INFO = /* @__PURE__ */ utf8("coffer-mac-v1");
