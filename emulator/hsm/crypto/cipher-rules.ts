import { getCipherInfo } from "node:crypto";
import { type CryptographicParameters, KmipError } from "#protocol/kmip/index.ts";

/** How a cipher is called in OpenSSL, and what it needs. Lengths are in bytes. */
export interface CipherRule {
  name: string;
  iv: number;
  /** Whether it takes whole blocks, so that padding matters. */
  blocks: boolean;
  /** Whether the message must be there as a whole. */
  whole?: boolean;
  /** Length of the tag of an authenticated cipher. */
  tag?: number;
  /** CCM: the length of the message stands before it, so that it must be there as a whole. */
  ccm?: boolean;
  wrap?: "NISTKeyWrap" | "AESKeyWrapPadding";
  /** A one-time pad. */
  pad?: boolean;
  /** ChaCha20: the IV is preceded by a counter. */
  counter?: boolean;
}

/** Ciphers of 16-byte blocks by KMIP name: what OpenSSL calls them, and the lengths of their keys. */
export const BLOCK_CIPHERS: Readonly<Record<string, { openssl: string; keys: readonly number[] }>> = {
  AES: { openssl: "aes", keys: [16, 24, 32] },
  ARIA: { openssl: "aria", keys: [16, 24, 32] },
  Camellia: { openssl: "camellia", keys: [16, 24, 32] },
  SM4: { openssl: "sm4", keys: [16] },
};

interface Mode {
  iv: number;
  blocks: boolean;
  /** Lengths that a tag may have (NIST SP 800-38C §5.3; SP 800-38D §5.2.1.2, without those for special uses). */
  tags?: readonly number[];
}

const MODES: Readonly<Record<string, Mode>> = {
  CBC: { iv: 16, blocks: true },
  ECB: { iv: 0, blocks: true },
  CTR: { iv: 16, blocks: false },
  CFB: { iv: 16, blocks: false },
  OFB: { iv: 16, blocks: false },
  GCM: { iv: 12, blocks: false, tags: [12, 13, 14, 15, 16] },
  CCM: { iv: 12, blocks: false, tags: [4, 6, 8, 10, 12, 14, 16] },
  XTS: { iv: 16, blocks: false },
};

/** The rule for an algorithm, a key and parameters; throws for what this server does not do. */
export function cipherRule(
  algorithm: unknown,
  key: Uint8Array,
  parameters: CryptographicParameters,
): CipherRule {
  const { blockCipherMode: mode } = parameters;
  switch (algorithm) {
    case undefined:
      return blockRule("AES", key, parameters);
    case "AES":
    case "ARIA":
    case "Camellia":
    case "SM4":
      return blockRule(algorithm, key, parameters);
    case "DES3":
      return tripleDesRule(key, String(mode ?? "CBC"));
    case "ChaCha20":
      if (key.length !== 32) throw unsupported();
      // A key of the plain cipher may be asked to authenticate too (KMIP 2.1 §11.6 Block Cipher Mode, AEAD).
      if (mode === "AEAD") return poly1305(parameters);
      return { name: "chacha20", iv: 12, blocks: false, counter: true };
    case "ChaCha20Poly1305":
      if (key.length !== 32) throw unsupported();
      return poly1305(parameters);
    case "OneTimePad":
      return { name: "", iv: 0, blocks: false, pad: true };
  }
  throw unsupported();
}

/** RFC 8439 §2.8 has tags of 16 bytes; the test cases of KMIP 2.0 cut them to 12 as those of GCM. */
const POLY1305_TAGS: readonly number[] = [12, 13, 14, 15, 16];

function poly1305({ tagLength = 16 }: CryptographicParameters): CipherRule {
  if (!POLY1305_TAGS.includes(tagLength)) throw noSuchTag();
  return { name: "chacha20-poly1305", iv: 12, blocks: false, tag: tagLength };
}

function blockRule(
  algorithm: string,
  key: Uint8Array,
  { blockCipherMode, tagLength = 16 }: CryptographicParameters,
): CipherRule {
  const mode = String(blockCipherMode ?? "CBC");
  if (mode === "NISTKeyWrap" || mode === "AESKeyWrapPadding")
    return { name: "", iv: 0, blocks: false, wrap: mode };
  const rule = Object.hasOwn(MODES, mode) ? MODES[mode] : undefined;
  if (!rule) throw unsupported();
  const xts = mode === "XTS";
  if (xts && !(algorithm === "AES" && [32, 64].includes(key.length))) throw unsupported();
  const name =
    mode === "CCM" && algorithm !== "AES"
      ? ccmName(algorithm, key.length)
      : blockCipherName(algorithm, xts ? key.length / 2 : key.length, mode);
  if (rule.tags && !rule.tags.includes(tagLength)) throw noSuchTag();
  return {
    name,
    iv: rule.iv,
    blocks: rule.blocks,
    ...(rule.tags ? { tag: tagLength } : {}),
    ...(mode === "CCM" ? { ccm: true } : {}),
    ...(xts ? { whole: true } : {}),
  };
}

/** OpenSSL's CCM of a cipher; none where it is put together from CTR and CBC. */
function ccmName(algorithm: string, length: number): string {
  const name = blockCipherName(algorithm, length, "CTR").replace(/ctr$/, "ccm");
  return getCipherInfo(name) ? name : "";
}

/** OpenSSL's name of a cipher of 16-byte blocks in a mode; `length` is that of one key, in bytes. */
export function blockCipherName(algorithm: string, length: number, mode: string): string {
  const cipher = Object.hasOwn(BLOCK_CIPHERS, algorithm) ? BLOCK_CIPHERS[algorithm] : undefined;
  if (!cipher?.keys.includes(length)) throw unsupported();
  const size = cipher.keys.length > 1 ? `-${length * 8}` : "";
  const name = `${cipher.openssl}${size}-${mode.toLowerCase()}`;
  if (algorithm !== "AES" && !getCipherInfo(name)) throw unsupported();
  return name;
}

function tripleDesRule(key: Uint8Array, mode: string): CipherRule {
  const names: Readonly<Record<string, string>> = { CBC: "-cbc", ECB: "", CFB: "-cfb", OFB: "-ofb" };
  const suffix = Object.hasOwn(names, mode) ? names[mode] : undefined;
  if (suffix === undefined || (key.length !== 24 && key.length !== 16)) throw unsupported();
  const name = `${key.length === 24 ? "des-ede3" : "des-ede"}${suffix}`;
  return { name, iv: mode === "ECB" ? 0 : 8, blocks: mode === "CBC" || mode === "ECB" };
}

/** The IV as OpenSSL takes it. ChaCha20 (RFC 8439 §2.4) begins with its counter, which is 0 where none is given. */
export function ivBytes(
  rule: CipherRule,
  iv: Uint8Array | undefined,
  { initialCounterValue = 0 }: CryptographicParameters,
): Uint8Array | null {
  if (rule.iv === 0 || !iv) return null;
  if (!rule.counter) return iv;
  // Twelve bytes of nonce as in RFC 8439, or eight as Bernstein had it.
  if (iv.length !== 12 && iv.length !== 8)
    throw new KmipError("InvalidField", "The nonce has another length");
  const block = Buffer.alloc(16);
  block.writeUInt32LE(initialCounterValue >>> 0);
  block.set(iv, 16 - iv.length);
  return block;
}

/**
 * Maximum bytes that ChaCha20 gives from its first block on: with the nonce of RFC 8439 its counter has 32 bits, and one that
 * started over would give the same key stream again.
 */
export function maxBytes(
  rule: CipherRule,
  iv: Uint8Array | undefined,
  { initialCounterValue = 0 }: CryptographicParameters,
): number {
  return rule.counter && iv?.length === 12 ? (2 ** 32 - (initialCounterValue >>> 0)) * 64 : Infinity;
}

/** The reason that the test cases name (CS-BC-M-GCM-1). */
function noSuchTag(): KmipError {
  return new KmipError("GeneralFailure", "The mode has no tags of that length");
}

function unsupported(): KmipError {
  return new KmipError("UnsupportedCryptographicParameters", "Not a supported cipher");
}
