import { createCipheriv, createHash, createHmac } from "node:crypto";
import { type CryptographicParameters, KmipError } from "#protocol/kmip/index.ts";
import { BLOCK_CIPHERS, blockCipherName } from "./cipher-rules.ts";
import type { Transform } from "./transform.ts";
import { xor } from "./xor.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** Hash functions by their KMIP name (1.4 writes SHA-3 with a further hyphen). */
const HASHES: Readonly<Record<string, string>> = {
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

/** Name in OpenSSL of a Hashing Algorithm; undefined for what this server does not have. */
export function hashNamed(algorithm: unknown): string | undefined {
  return Object.hasOwn(HASHES, String(algorithm)) ? HASHES[String(algorithm)] : undefined;
}

/** Name in OpenSSL of a Hashing Algorithm; throws for what this server does not have. */
export function hashName(algorithm: unknown): string {
  const name = hashNamed(algorithm);
  if (!name) throw new KmipError("UnsupportedCryptographicParameters", "Not a supported hash");
  return name;
}

/** Tags of less than this many bytes are not made (NIST SP 800-38B §A.2; RFC 2104 §5). */
const MIN_MAC = 8;

/**
 * Begins HMAC (RFC 2104) for algorithms `HMAC_…`, CMAC (NIST SP 800-38B) for block ciphers. Tag Length shortens the MAC;
 * without it, the MAC has its full length, and is verified in its full length.
 */
export function startMac(
  algorithm: unknown,
  parameters: CryptographicParameters,
  key: Uint8Array,
): Transform<Bytes> {
  const full = startFullMac(String(algorithm ?? ""), parameters, key);
  const { tagLength } = parameters;
  if (tagLength === undefined) return full;
  return {
    update: full.update,
    final() {
      const mac = full.final();
      if (tagLength < MIN_MAC || tagLength > mac.length)
        throw new KmipError("InvalidField", "The MAC cannot have that length");
      return mac.slice(0, tagLength);
    },
  };
}

function startFullMac(
  name: string,
  { blockCipherMode = "CMAC" }: CryptographicParameters,
  key: Uint8Array,
): Transform<Bytes> {
  if (Object.hasOwn(BLOCK_CIPHERS, name) && blockCipherMode === "CMAC") return startCmac(name, key);
  const [, suffix] = /^HMAC_(.+)$/.exec(name) ?? [];
  const hash = suffix && hashNamed(suffix.replace(/^SHA(\d)/, "SHA_$1").replace(/^SHA_3_/, "SHA3_"));
  if (!hash) throw new KmipError("UnsupportedCryptographicParameters", "Not a supported MAC");
  const hmac = createHmac(hash, key);
  return absorbing(
    (data) => hmac.update(data),
    () => hmac.digest(),
  );
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

/** CMAC is the last block of CBC, where the last block of the message was mixed with a key of its own. */
function startCmac(algorithm: string, key: Uint8Array): Transform<Bytes> {
  const cipher = (mode: string, iv: Uint8Array | null) =>
    createCipheriv(blockCipherName(algorithm, key.length, mode), key, iv).setAutoPadding(false);
  const cbc = cipher("CBC", Buffer.alloc(16));
  let rest: Uint8Array = new Uint8Array();
  return {
    update(data) {
      const all = Buffer.concat([rest, data]);
      const whole = Math.max(0, Math.ceil(all.length / 16) - 1) * 16;
      if (whole > 0) cbc.update(all.subarray(0, whole));
      rest = all.subarray(whole);
      return new Uint8Array();
    },
    final() {
      const first = doubled(cipher("ECB", null).update(Buffer.alloc(16)));
      const last = Buffer.alloc(16);
      last.set(rest);
      if (rest.length < 16) last[rest.length] = 0x80;
      return new Uint8Array(cbc.update(xor(last, rest.length === 16 ? first : doubled(first))));
    },
  };
}

/** Multiplication by x in GF(2^128). */
function doubled(block: Uint8Array): Buffer {
  const out = Buffer.alloc(16);
  for (const [i, byte] of block.entries()) out[i] = (byte << 1) | ((block[i + 1] ?? 0) >> 7);
  const [first = 0] = block;
  if (first & 0x80) out.writeUInt8(out.readUInt8(15) ^ 0x87, 15);
  return out;
}
