import { type Attributes, KmipError } from "#protocol/kmip/index.ts";

/** Lengths in bits that algorithms of symmetric keys can have; HMAC keys have any. */
const LENGTHS: Readonly<Record<string, readonly number[]>> = {
  AES: [128, 192, 256, 512],
  DES: [56, 64],
  DES3: [112, 128, 168, 192],
  ChaCha20: [256],
  Poly1305: [256],
  ChaCha20Poly1305: [256],
  Camellia: [128, 192, 256],
  Blowfish: [128, 192, 256, 448],
  ARIA: [128, 192, 256],
  CAST5: [40, 64, 80, 128],
  IDEA: [128],
  MARS: [128, 192, 256, 448],
  RC2: [40, 64, 128],
  RC4: [40, 56, 64, 80, 128, 256],
  RC5: [128],
  SEED: [128],
  SKIPJACK: [80],
  Twofish: [128, 192, 256],
};
const DEFAULT_LENGTH: Readonly<Record<string, number>> = { DES: 64, DES3: 168 };

/** A key without a usage mask is made (TC-CS-CORVAL-1) and good for nothing until it gets one. */
export function keyLength({ cryptographicAlgorithm: algorithm, cryptographicLength: asked }: Attributes) {
  if (algorithm === undefined) throw new KmipError("MissingData", "Cryptographic Algorithm is missing");
  const name = String(algorithm);
  const isHmac = name.startsWith("HMAC_");
  const lengths = Object.hasOwn(LENGTHS, name) ? LENGTHS[name] : undefined;
  if (!lengths && !isHmac)
    throw new KmipError("InvalidField", "Not an algorithm of symmetric keys made here");
  const length = asked ?? DEFAULT_LENGTH[name] ?? 256;
  if (lengths ? !lengths.includes(length) : length < 8 || length > 8192 || length % 8 !== 0)
    throw new KmipError("InvalidField", "The algorithm has no keys of that length");
  // DES keys carry a parity bit in each byte, which the length may leave out.
  const bytes = name.startsWith("DES") && length % 7 === 0 ? length / 7 : length / 8;
  return { bytes, length };
}
