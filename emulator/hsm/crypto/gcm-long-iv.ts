import { createCipheriv, createDecipheriv, timingSafeEqual } from "node:crypto";
import { xor } from "./xor.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/**
 * GCM with an IV that is longer than OpenSSL takes (NIST SP 800-38D §7 allows 2^61 bytes), put together from GCM with an
 * IV of zeros, CTR and ECB of the same cipher.
 */

/** The longest IV, in bytes, that OpenSSL takes. */
export const GCM_MAX_IV = 128;

export interface GcmInput {
  /** OpenSSL's name, as `aes-128-gcm`. */
  name: string;
  key: Uint8Array;
  iv: Uint8Array;
  additionalData: Uint8Array;
  /** Length of the tag in bytes. */
  tagLength: number;
}

const NOTHING = new Uint8Array();

/** Ciphertext and tag. */
export function sealGcm(input: GcmInput, plain: Uint8Array): { data: Bytes; tag: Bytes } {
  const counter = firstCounter(input);
  const data = counted(input, counter, plain);
  return { data: new Uint8Array(data), tag: tagOf(input, counter, data) };
}

/** The plaintext; throws `RangeError` where the tag is not that of the ciphertext. */
export function openGcm(input: GcmInput, data: Uint8Array, tag: Uint8Array): Bytes {
  const counter = firstCounter(input);
  if (tag.length !== input.tagLength || !timingSafeEqual(tagOf(input, counter, data), tag))
    throw new RangeError("another tag");
  return new Uint8Array(counted(input, counter, data));
}

/** J0 of SP 800-38D §7.1: GHASH of the IV, its length behind it. */
function firstCounter(input: GcmInput): Buffer {
  return ghash(input, NOTHING, input.iv);
}

function tagOf(input: GcmInput, counter: Buffer, data: Uint8Array): Bytes {
  const hash = ghash(input, input.additionalData, data);
  const ecb = createCipheriv(nameOf(input, "ecb"), input.key, null).setAutoPadding(false);
  return new Uint8Array(xor(hash, ecb.update(counter))).slice(0, input.tagLength);
}

/**
 * GHASH of both, padded, and of their lengths (§6.4). A tag is GHASH masked by the first block of the key stream, and
 * the tag of nothing is that mask.
 */
function ghash({ name, key }: GcmInput, additionalData: Uint8Array, data: Uint8Array): Buffer {
  const iv = Buffer.alloc(12);
  const options = { authTagLength: 16 };
  const tagWith = (aad: Uint8Array, plain: Uint8Array) => {
    const cipher = createCipheriv(name as "aes-128-gcm", key, iv, options).setAAD(aad);
    cipher.update(plain);
    cipher.final();
    return cipher.getAuthTag();
  };
  // What encrypts to `data`; the tag is not asked for, since nothing is revealed by this.
  const plain = createDecipheriv(name as "aes-128-gcm", key, iv, options).update(data);
  return xor(tagWith(additionalData, plain), tagWith(NOTHING, NOTHING));
}

/** GCTR (§6.5) from the block after `counter`. Its last 32 bits count alone, where CTR carries on. */
function counted(input: GcmInput, counter: Buffer, data: Uint8Array): Buffer {
  const from = Buffer.from(counter);
  from.writeUInt32BE((counter.readUInt32BE(12) + 1) >>> 0, 12);
  const room = (2 ** 32 - from.readUInt32BE(12)) * 16;
  const again = Buffer.from(counter);
  again.writeUInt32BE(0, 12);
  const ctr = (start: Buffer, part: Uint8Array) =>
    createCipheriv(nameOf(input, "ctr"), input.key, start).update(part);
  return Buffer.concat([ctr(from, data.subarray(0, room)), ctr(again, data.subarray(room))]);
}

const nameOf = ({ name }: GcmInput, mode: string) => name.replace(/gcm$/, mode);
