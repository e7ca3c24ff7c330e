import {
  constants,
  createHash,
  type KeyObject,
  privateEncrypt,
  publicDecrypt,
  randomBytes,
  timingSafeEqual,
} from "node:crypto";
import { mgf1, modulusBytes } from "./rsa-oaep.ts";
import { xor } from "./xor.ts";

/**
 * RSASSA-PSS (RFC 8017 §8.1) over a digest, and with another hash in the mask than over the message: neither is there
 * in node:crypto.
 */
export interface PssScheme {
  /** Hash functions by OpenSSL's name. */
  hash: string;
  maskHash: string;
  /** Length of the salt in bytes; `ANY_SALT` in a verification. */
  saltLength: number;
}

/** As long as the signature has it: its encoding says where the salt begins. OpenSSL's number for it. */
export const ANY_SALT: number = constants.RSA_PSS_SALTLEN_AUTO;

/** EMSA-PSS-ENCODE (§9.1.1) and RSASP1. Throws `RangeError` where the key is too short. */
export function signPss(key: KeyObject, scheme: PssScheme, digest: Uint8Array): Uint8Array {
  const { hash, maskHash, saltLength } = scheme;
  const { length, unused } = sizes(key);
  const room = length - digest.length - saltLength - 2;
  if (room < 0) throw new RangeError("too long");
  const salt = randomBytes(saltLength);
  const check = checkOf(hash, digest, salt);
  const block = Buffer.concat([Buffer.alloc(room), Buffer.of(1), salt]);
  const masked = xor(block, mgf1(maskHash, check, block.length));
  clear(masked, unused);
  const encoded = Buffer.concat([masked, check, Buffer.of(0xbc)]);
  const bytes = modulusBytes(key);
  return privateEncrypt(
    { key, padding: constants.RSA_NO_PADDING },
    Buffer.concat([Buffer.alloc(bytes - encoded.length), encoded]),
  );
}

/** RSAVP1 and EMSA-PSS-VERIFY (§9.1.2). */
export function verifyPss(
  key: KeyObject,
  { hash, maskHash, saltLength }: PssScheme,
  digest: Uint8Array,
  signature: Uint8Array,
): boolean {
  const { length, unused } = sizes(key);
  const minimum = saltLength === ANY_SALT ? 0 : saltLength;
  if (signature.length !== modulusBytes(key) || length < digest.length + minimum + 2) return false;
  let opened: Buffer;
  try {
    opened = publicDecrypt({ key, padding: constants.RSA_NO_PADDING }, signature);
  } catch {
    return false;
  }
  const encoded = opened.subarray(opened.length - length);
  if (opened.subarray(0, opened.length - length).some((byte) => byte !== 0)) return false;
  const masked = encoded.subarray(0, length - digest.length - 1);
  const check = encoded.subarray(masked.length, -1);
  if (encoded.at(-1) !== 0xbc || (masked.readUInt8() & ~(0xff >> unused)) !== 0) return false;
  const block = xor(masked, mgf1(maskHash, check, masked.length));
  clear(block, unused);
  const room =
    saltLength === ANY_SALT ? block.findIndex((byte) => byte !== 0) : masked.length - saltLength - 1;
  if (block.subarray(0, room).some((byte) => byte !== 0) || block[room] !== 1) return false;
  return timingSafeEqual(check, checkOf(hash, digest, block.subarray(room + 1)));
}

/** H of §9.1: the digest and the salt behind eight zeros. */
function checkOf(hash: string, digest: Uint8Array, salt: Uint8Array): Buffer {
  return createHash(hash).update(Buffer.alloc(8)).update(digest).update(salt).digest();
}

/** Bytes of the encoded message, and the bits of its first byte that are not used. */
function sizes(key: KeyObject): { length: number; unused: number } {
  const bits = (key.asymmetricKeyDetails?.modulusLength ?? 0) - 1;
  const length = Math.ceil(bits / 8);
  return { length, unused: 8 * length - bits };
}

/** Clears the bits of the first byte that are not used. */
function clear(block: Buffer, unused: number): void {
  block.writeUInt8(block.readUInt8() & (0xff >> unused));
}
