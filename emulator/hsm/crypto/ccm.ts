import { createCipheriv, timingSafeEqual } from "node:crypto";
import { blockCipherName } from "./cipher-rules.ts";
import { xor } from "./xor.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** CCM (NIST SP 800-38C) from CBC and CTR, for ciphers of 16-byte blocks for which OpenSSL does not have it. */
export interface CcmInput {
  /** KMIP's name of the cipher. */
  algorithm: string;
  key: Uint8Array;
  /** 7 to 13 bytes. */
  iv: Uint8Array;
  additionalData: Uint8Array;
  /** Length of the tag in bytes. */
  tagLength: number;
}

/** Ciphertext and tag. Throws `RangeError` for what the mode does not define. */
export function sealCcm(input: CcmInput, plain: Uint8Array): { data: Bytes; tag: Bytes } {
  const stream = keyStream(input, plain.length);
  const tag = new Uint8Array(stream(macOf(input, plain))).slice(0, input.tagLength);
  return { data: new Uint8Array(stream(plain)), tag };
}

/** The plaintext; throws `RangeError` where the tag is not that of the ciphertext. */
export function openCcm(input: CcmInput, data: Uint8Array, tag: Uint8Array): Bytes {
  const stream = keyStream(input, data.length);
  const mask = stream(Buffer.alloc(16));
  const plain = stream(data);
  const expected = xor(macOf(input, plain), mask);
  if (tag.length !== input.tagLength || !timingSafeEqual(expected.subarray(0, tag.length), tag))
    throw new RangeError("another tag");
  return new Uint8Array(plain);
}

/** Mixes data with the key stream: first the MAC with the block of counter 0, then the message (§6.1, A.3). */
function keyStream({ algorithm, key, iv }: CcmInput, length: number): (data: Uint8Array) => Buffer {
  const size = 15 - iv.length;
  if (size < 2 || size > 8 || length >= 2 ** (8 * size)) throw new RangeError("no such nonce");
  const counter = Buffer.alloc(16);
  counter[0] = size - 1;
  counter.set(iv, 1);
  const cipher = createCipheriv(blockCipherName(algorithm, key.length, "CTR"), key, counter);
  return (data) => cipher.update(data);
}

/** The last block of CBC over the lengths, the additional data and the message (§A.2). */
function macOf({ algorithm, key, iv, additionalData, tagLength }: CcmInput, plain: Uint8Array): Buffer {
  const first = Buffer.alloc(16);
  first.writeBigUInt64BE(BigInt(plain.length), 8);
  first.set(iv, 1);
  first[0] = (additionalData.length > 0 ? 0x40 : 0) | (((tagLength - 2) / 2) << 3) | (14 - iv.length);
  const blocks = [
    first,
    ...padded(Buffer.concat([lengthOf(additionalData), additionalData])),
    ...padded(plain),
  ];
  const cipher = createCipheriv(blockCipherName(algorithm, key.length, "CBC"), key, Buffer.alloc(16));
  return cipher.setAutoPadding(false).update(Buffer.concat(blocks)).subarray(-16);
}

function lengthOf({ length }: Uint8Array): Buffer {
  if (length === 0) return Buffer.alloc(0);
  if (length < 0xff00) return Buffer.of(length >> 8, length & 0xff);
  const long = Buffer.from("fffe00000000", "hex");
  long.writeUInt32BE(length, 2);
  return long;
}

const padded = (data: Uint8Array) => [data, Buffer.alloc((16 - (data.length % 16)) % 16)];
