import { createHash } from "node:crypto";

/** What a key of PKCS#12 is for (RFC 7292 §B.3). */
export const CIPHER_KEY = 1;
export const INITIALIZATION_VECTOR = 2;
export const MAC_KEY = 3;

export type Pkcs12Hash = "sha1" | "sha256" | "sha384" | "sha512";

/** A key from a password (RFC 7292 §B.2). */
export function pkcs12Key(
  hash: Pkcs12Hash,
  purpose: number,
  password: string,
  { salt, iterations }: { salt: Uint8Array; iterations: number },
  length: number,
): Buffer {
  const size = hash === "sha384" || hash === "sha512" ? 128 : 64;
  const characters = Buffer.concat([Buffer.from(password, "utf16le").swap16(), Buffer.alloc(2)]);
  const input = Buffer.concat([filled(salt, size), filled(characters, size)]);
  const key: Buffer[] = [];
  for (let made = 0; made < length; ) {
    let block: Buffer = Buffer.concat([Buffer.alloc(size, purpose), input]);
    for (let round = 0; round < iterations; round++) block = createHash(hash).update(block).digest();
    key.push(block);
    made += block.length;
    for (let at = 0; at < input.length; at += size) add(input.subarray(at, at + size), block);
  }
  return Buffer.concat(key).subarray(0, length);
}

/** Adds to a block the other one, repeated, and one. */
function add(block: Buffer, other: Buffer): void {
  const added = Buffer.alloc(block.length, other);
  let carry = 1;
  for (let at = block.length - 1; at >= 0; at--) {
    carry += block.readUInt8(at) + added.readUInt8(at);
    block[at] = carry & 0xff;
    carry >>= 8;
  }
}

/** Repeated to whole blocks. */
function filled(bytes: Uint8Array, size: number): Buffer {
  return Buffer.alloc(size * Math.ceil(bytes.length / size), bytes);
}
