import { createCipheriv, createHash, createHmac } from "node:crypto";
import { type CryptographicParameters, KmipError } from "#protocol/kmip/index.ts";
import { Gathered } from "./gathered.ts";
import type { Transform } from "./transform.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** Hash functions by their KMIP name (1.4 writes SHA-3 with a further hyphen). */
export const HASHES: Readonly<Record<string, string>> = {
  MD5: "md5",
  SHA_1: "sha1",
  SHA_224: "sha224",
  SHA_256: "sha256",
  SHA_384: "sha384",
  SHA_512: "sha512",
  SHA_512_224: "sha512-224",
  SHA_512_256: "sha512-256",
  RIPEMD_160: "ripemd160",
  SHA3_224: "sha3-224",
  SHA3_256: "sha3-256",
  SHA3_384: "sha3-384",
  SHA3_512: "sha3-512",
  SHA_3_224: "sha3-224",
  SHA_3_256: "sha3-256",
  SHA_3_384: "sha3-384",
  SHA_3_512: "sha3-512",
};

/** Begins a hash of a Hashing Algorithm. */
export function startHash(algorithm: unknown): Transform<Bytes> {
  const hash = createHash(hashName(algorithm));
  return absorbing(
    (data) => hash.update(data),
    () => hash.digest(),
  );
}

/** Name in OpenSSL of a Hashing Algorithm. */
export function hashName(algorithm: unknown): string {
  const name = Object.hasOwn(HASHES, String(algorithm)) ? HASHES[String(algorithm)] : undefined;
  if (!name) throw new KmipError("UnsupportedCryptographicParameters", "Not a supported hash");
  return name;
}

/** Begins HMAC (RFC 2104) for algorithms `HMAC_…`, CMAC (NIST SP 800-38B) for AES. */
export function startMac(
  algorithm: unknown,
  parameters: CryptographicParameters,
  key: Uint8Array,
): Transform<Bytes> {
  const name = String(algorithm ?? "");
  if (name.startsWith("HMAC_")) {
    const suffix = name.slice("HMAC_".length);
    const hash = HASHES[suffix.replace(/^SHA(\d)/, "SHA_$1").replace(/^SHA_3_/, "SHA3_")] ?? HASHES[suffix];
    if (hash) {
      const hmac = createHmac(hash, key);
      return absorbing(
        (data) => hmac.update(data),
        () => hmac.digest(),
      );
    }
  }
  if (
    name === "AES" &&
    (parameters.blockCipherMode ?? "CMAC") === "CMAC" &&
    [16, 24, 32].includes(key.length)
  ) {
    const gathered = new Gathered();
    return { update: (data) => gathered.push(data), final: () => cmacAes(key, gathered.take()) };
  }
  throw new KmipError("UnsupportedCryptographicParameters", "Not a supported MAC");
}

function absorbing(take: (data: Uint8Array) => void, end: () => Uint8Array): Transform<Bytes> {
  return {
    update(data) {
      take(data);
      return new Uint8Array();
    },
    final: () => new Uint8Array(end()),
  };
}

function cmacAes(key: Uint8Array, data: Uint8Array): Bytes {
  const encrypt = (block: Uint8Array) => {
    const cipher = createCipheriv(`aes-${key.length * 8}-ecb`, key, null).setAutoPadding(false);
    return Buffer.concat([cipher.update(block), cipher.final()]);
  };
  const first = doubled(encrypt(Buffer.alloc(16)));
  const whole = data.length > 0 && data.length % 16 === 0;
  const last = whole ? data.length - 16 : data.length - (data.length % 16);
  const tail = Buffer.alloc(16);
  tail.set(data.subarray(last));
  if (!whole) tail[data.length - last] = 0x80;
  const subkey = whole ? first : doubled(first);
  let state: Uint8Array = Buffer.alloc(16);
  for (let at = 0; at < last; at += 16) state = encrypt(xor(state, data.subarray(at, at + 16)));
  return new Uint8Array(encrypt(xor(state, xor(tail, subkey))));
}

/** Multiplication by x in GF(2^128). */
function doubled(block: Uint8Array): Buffer {
  const out = Buffer.alloc(16);
  for (let i = 0; i < 16; i++) out[i] = ((block[i]! << 1) | ((block[i + 1] ?? 0) >> 7)) & 0xff;
  out[15]! ^= (block[0]! & 0x80) === 0 ? 0 : 0x87;
  return out;
}

function xor(a: Uint8Array, b: Uint8Array): Buffer {
  return Buffer.from(a.map((byte, i) => byte ^ b[i]!));
}
