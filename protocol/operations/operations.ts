import { SIGNATURE_ALGORITHM_NAMES } from "../keys/algorithm.ts";
import { keyOrEdk } from "../keys/length.ts";
import { base64url, boolean, literal, type Of, object, record, whole } from "../shape.ts";

/** Bytes that one operation takes: a document that is longer is streamed. */
export const MAX_DATA = 1 << 20;
/** Header (64 KiB), frames and their tags around them. */
export const MAX_MESSAGE = MAX_DATA + (1 << 16) + (1 << 10);
/** Random bytes of one request. */
export const MAX_RANDOM = 1024;

/** The EDK of a key that is loaded, or a key that the instance has entrusted to its custodian (M10). */
const key = keyOrEdk;
const data = base64url(0, MAX_DATA);
const context = record(16, 1024);
/** HMAC-SHA-256. */
const mac = base64url(32);
/** 64 bytes (ES256, Ed25519), 96 (ES384), 384 (PS256) or 3,309 (ML-DSA-65). */
const signature = base64url(64, 3309);
const valid = object({ valid: boolean });

/** Bytes are base64url. */
export const OPERATIONS = {
  /** A message of the document format that holds `data` and names its key; `context` is authenticated and in clear. */
  encrypt: { params: object({ key, context, data }), result: object({ message: base64url(1, MAX_MESSAGE) }) },
  /** The key is the one that the message names, loaded or brought; its context has to be this one. */
  decrypt: {
    params: object({ context, message: base64url(1, MAX_MESSAGE) }, { key }),
    result: object({ data }),
  },
  mac: { params: object({ key, data }), result: object({ mac }) },
  macVerify: { params: object({ key, data, mac }), result: valid },
  /** Over `data` itself, by the key's algorithm: ECDSA is r || s (RFC 7518 §3.4), RSA-PSS has a salt as long as the digest. */
  sign: { params: object({ key, data }), result: object({ signature }) },
  verify: { params: object({ key, data, signature }), result: valid },
  /** SubjectPublicKeyInfo (DER) of a key that signs, for whoever verifies elsewhere. */
  publicKey: {
    params: object({ key }),
    result: object({ algorithm: literal(...SIGNATURE_ALGORITHM_NAMES), publicKey: base64url(32, 2048) }),
  },
  hash: {
    params: object({ algorithm: literal("SHA-256", "SHA-384", "SHA-512"), data }),
    result: object({ digest: base64url(32, 64) }),
  },
  random: {
    params: object({ length: whole(1, MAX_RANDOM) }),
    result: object({ bytes: base64url(1, MAX_RANDOM) }),
  },
} as const;

export type CryptoOperation = keyof typeof OPERATIONS;
export type Question<O extends CryptoOperation> = Of<(typeof OPERATIONS)[O]["params"]>;
export type Answer<O extends CryptoOperation> = Of<(typeof OPERATIONS)[O]["result"]>;
/** Who answers them. */
export type CryptoOperations = { [O in CryptoOperation]: (asked: Question<O>) => Promise<Answer<O>> };
