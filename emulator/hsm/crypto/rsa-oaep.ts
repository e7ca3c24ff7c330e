import {
  constants,
  createHash,
  type KeyObject,
  privateDecrypt,
  publicEncrypt,
  randomBytes,
} from "node:crypto";
import { equalConstantTime } from "#protocol/bytes.ts";
import { type CryptographicParameters, KmipError } from "#protocol/kmip/index.ts";
import { hashNamed } from "./mac.ts";
import { xor } from "./xor.ts";

/** RSAES-OAEP (RFC 8017 §7.1). OpenSSL does it where one hash serves label and MGF1, this file where two do. */
export function wrapOaep(key: KeyObject, parameters: CryptographicParameters, plain: Uint8Array): Uint8Array {
  const scheme = oaep(parameters);
  try {
    if (scheme.hash === scheme.maskHash) return publicEncrypt({ key, ...native(scheme) }, plain);
    return publicEncrypt(
      { key, padding: constants.RSA_NO_PADDING },
      encode(scheme, modulusBytes(key), plain),
    );
  } catch {
    throw failure();
  }
}

/** Opens what `wrapOaep` made; one error for whatever is wrong. */
export function unwrapOaep(
  key: KeyObject,
  parameters: CryptographicParameters,
  wrapped: Uint8Array,
): Uint8Array {
  const scheme = oaep(parameters);
  try {
    if (scheme.hash === scheme.maskHash) return privateDecrypt({ key, ...native(scheme) }, wrapped);
    return decode(scheme, privateDecrypt({ key, padding: constants.RSA_NO_PADDING }, wrapped));
  } catch {
    throw failure();
  }
}

interface Scheme {
  hash: string;
  maskHash: string;
  label: Uint8Array;
}

/** KMIP 2.1 §4.16 Cryptographic Parameters: both hashes are SHA-1 where the parameters say nothing. */
function oaep(parameters: CryptographicParameters): Scheme {
  const { hashingAlgorithm = "SHA_1", maskGenerator = "MGF1", pSource = new Uint8Array() } = parameters;
  const hash = hashNamed(hashingAlgorithm);
  const maskHash = hashNamed(parameters.maskGeneratorHashingAlgorithm ?? hashingAlgorithm);
  if (!hash || !maskHash || maskGenerator !== "MGF1")
    throw new KmipError("UnsupportedCryptographicParameters", "Not a supported form of OAEP");
  return { hash, maskHash, label: pSource };
}

function native({ hash, label }: Scheme) {
  return {
    padding: constants.RSA_PKCS1_OAEP_PADDING,
    oaepHash: hash,
    ...(label.length > 0 ? { oaepLabel: label } : {}),
  };
}

function encode({ hash, maskHash, label }: Scheme, length: number, plain: Uint8Array): Uint8Array {
  const labelHash = createHash(hash).update(label).digest();
  const room = length - 2 * labelHash.length - 2;
  if (plain.length > room) throw new RangeError("too long");
  const block = Buffer.concat([labelHash, Buffer.alloc(room - plain.length), Buffer.of(1), plain]);
  const seed = randomBytes(labelHash.length);
  const masked = xor(block, mgf1(maskHash, seed, block.length));
  return Buffer.concat([Buffer.of(0), xor(seed, mgf1(maskHash, masked, seed.length)), masked]);
}

function decode({ hash, maskHash, label }: Scheme, encoded: Uint8Array): Uint8Array {
  const labelHash = createHash(hash).update(label).digest();
  const masked = encoded.subarray(1 + labelHash.length);
  const seed = xor(encoded.subarray(1, 1 + labelHash.length), mgf1(maskHash, masked, labelHash.length));
  const block = xor(masked, mgf1(maskHash, seed, masked.length));
  const right = equalConstantTime(block.subarray(0, labelHash.length), labelHash);
  const end = block.indexOf(1, labelHash.length);
  const zeros = end >= 0 && block.subarray(labelHash.length, end).every((byte) => byte === 0);
  if (encoded[0] !== 0 || !right || !zeros) throw new RangeError("not OAEP");
  return block.subarray(end + 1);
}

/** MGF1 (RFC 8017 §B.2.1) */
export function mgf1(hash: string, seed: Uint8Array, length: number): Uint8Array {
  const blocks: Buffer[] = [];
  for (let made = 0, counter = 0; made < length; counter++) {
    const index = Buffer.alloc(4);
    index.writeUInt32BE(counter);
    const block = createHash(hash).update(seed).update(index).digest();
    blocks.push(block);
    made += block.length;
  }
  return Buffer.concat(blocks, length);
}

/** Length of the modulus in bytes. */
export function modulusBytes(key: KeyObject): number {
  return Math.ceil((key.asymmetricKeyDetails?.modulusLength ?? 0) / 8);
}

function failure(): KmipError {
  return new KmipError("CryptographicFailure", "RSA-OAEP failed");
}
