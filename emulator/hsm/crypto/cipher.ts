import {
  type CipherCCMTypes,
  type CipherGCM,
  createCipheriv,
  createDecipheriv,
  createSecretKey,
  type DecipherGCM,
  type KeyObject,
  timingSafeEqual,
} from "node:crypto";
import { type CryptographicParameters, KmipError } from "#protocol/kmip/index.ts";
import { type AesKeyWrap, unwrapAes, wrapAes } from "./aes-key-wrap.ts";
import { unwrapWith, wrapWith } from "./block-key-wrap.ts";
import { type CcmInput, openCcm, sealCcm } from "./ccm.ts";
import { type CipherRule, cipherRule, ivBytes, maxBytes } from "./cipher-rules.ts";
import { Gathered } from "./gathered.ts";
import { GCM_MAX_IV, type GcmInput, openGcm, sealGcm } from "./gcm-long-iv.ts";
import type { Transform } from "./transform.ts";
import { xor } from "./xor.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** Ciphers of symmetric keys, chosen by KMIP parameters (NIST SP 800-38A, D, E, F; RFC 8439). */

export interface CipherInput {
  algorithm: unknown;
  key: Uint8Array;
  parameters: CryptographicParameters;
  iv?: Uint8Array | undefined;
  additionalData?: Uint8Array | undefined;
}

export interface Encryption extends Transform<Bytes> {
  /** The IV that was made for want of one. */
  iv?: Bytes;
  /** The tag of an authenticated cipher, when it is final. */
  tag?: () => Bytes;
}

export interface Decryption extends Transform<Bytes> {
  /** Sets the tag that the ciphertext must have, before it is final. */
  expectTag?: (tag: Uint8Array) => void;
  /** Says that the tag follows the ciphertext, unless it is set by itself. */
  expectTagAtEnd?: () => void;
}

/** Begins an encryption. `random` makes the IV where none is given. */
export function startEncryption(input: CipherInput, random: (length: number) => Bytes): Encryption {
  const { key, parameters, additionalData } = input;
  const rule = cipherRule(input.algorithm, key, parameters);
  const { wrap } = rule;
  if (wrap) return gathering((data) => keyWrapped(input, wrap, data));
  if (rule.pad) return oneTimePad(key);
  checkIvLength(rule, parameters, input.iv);
  const made = input.iv === undefined && rule.iv > 0 ? random(parameters.ivLength ?? rule.iv) : undefined;
  const iv = input.iv ?? made;
  const whole = sealedWhole(rule, { ...input, iv });
  if (whole) return { ...whole, ...(made ? { iv: made } : {}) };
  return guarded(() => {
    const cipher = createCipheriv(
      rule.name,
      handle(key),
      ivBytes(rule, iv, parameters),
      options(rule),
    ) as CipherGCM;
    if (rule.blocks) cipher.setAutoPadding(pads(parameters));
    if (rule.tag && additionalData) cipher.setAAD(additionalData);
    const direct = bounded(maxBytes(rule, iv, parameters), {
      update: (data) => guarded(() => new Uint8Array(cipher.update(data))),
      final: () => guarded(() => new Uint8Array(cipher.final())),
    });
    return {
      ...(rule.whole ? gathering((data) => joined(direct, data)) : direct),
      ...(made ? { iv: made } : {}),
      ...(rule.tag ? { tag: () => new Uint8Array(cipher.getAuthTag()) } : {}),
    };
  });
}

/** Begins a decryption. Nothing comes out of an authenticated one before its tag was verified. */
export function startDecryption(input: CipherInput): Decryption {
  const { key, parameters, iv } = input;
  const rule = cipherRule(input.algorithm, key, parameters);
  const { wrap } = rule;
  if (wrap) return gathering((data) => keyUnwrapped(input, wrap, data));
  if (rule.pad) return oneTimePad(key);
  if (rule.iv > 0 && !iv) throw new KmipError("InvalidMessage", "The IV is missing");
  checkIvLength(rule, parameters, iv);
  const sealing = authenticated(rule, input);
  if (sealing) return opening(sealing);
  return guarded(() => {
    const decipher = createDecipheriv(rule.name, handle(key), ivBytes(rule, iv, parameters));
    if (rule.blocks) decipher.setAutoPadding(pads(parameters));
    const direct = bounded(maxBytes(rule, iv, parameters), {
      update: (data) => guarded(() => new Uint8Array(decipher.update(data))),
      final: () => guarded(() => new Uint8Array(decipher.final())),
    });
    return rule.whole ? gathering((data) => joined(direct, data)) : direct;
  });
}

/** An authenticated encryption that needs the whole message: CCM, and GCM with a very long IV. */
function sealedWhole(rule: CipherRule, input: CipherInput): Encryption | undefined {
  const sealing = authenticated(rule, input);
  if (!sealing || !(rule.ccm || isLongGcm(sealing))) return undefined;
  const seal = isLongGcm(sealing) ? sealGcm : sealByCcm;
  let sealed: { data: Bytes; tag: Bytes } | undefined;
  const work = (data: Uint8Array) => {
    sealed = guarded(() => seal(sealing, data));
    return sealed.data;
  };
  const tag = () => {
    if (!sealed) throw new TypeError("the tag comes at the end");
    return sealed.tag;
  };
  return { ...gathering(work), tag };
}

/** Nothing comes out before the tag was verified, and so nothing before the end. */
function opening(sealing: Sealing): Decryption {
  const { tagLength } = sealing;
  let expected: Uint8Array | undefined;
  let atEnd = false;
  const open = (given: Uint8Array) => {
    const end = atEnd && !expected ? Math.max(0, given.length - tagLength) : given.length;
    const data = given.subarray(0, end);
    const tag = expected ?? (atEnd ? given.subarray(end) : undefined);
    // A shorter tag is easier to forge: the parameters say how long it is, not the tag (NIST SP 800-38D §5.2.2).
    if (!tag || tag.length !== tagLength) throw new KmipError("InvalidField", "The tag has another length");
    return guarded(() => (isLongGcm(sealing) ? openGcm(sealing, data, tag) : opened(sealing, data, tag)));
  };
  return {
    ...gathering(open),
    expectTag: (tag: Uint8Array) => {
      if (expected && (expected.length !== tag.length || !timingSafeEqual(expected, tag)))
        throw new KmipError("InvalidField", "Another tag than before");
      expected = tag;
    },
    expectTagAtEnd: () => {
      atEnd = true;
    },
  };
}

function opened(sealing: Sealing, data: Uint8Array, tag: Uint8Array): Bytes {
  const { name, key, iv, additionalData, tagLength } = sealing;
  if (name === "") return openCcm(sealing, data, tag);
  const sized: object = { authTagLength: tagLength };
  const decipher = createDecipheriv(name, handle(key), iv, sized) as DecipherGCM;
  decipher.setAuthTag(tag);
  decipher.setAAD(additionalData, { plaintextLength: data.length });
  return new Uint8Array(Buffer.concat([decipher.update(data), decipher.final()]));
}

/** CCM (NIST SP 800-38C) begins with the length of the message. */
function sealByCcm(sealing: Sealing, data: Uint8Array): { data: Bytes; tag: Bytes } {
  const { name, key, iv, additionalData, tagLength } = sealing;
  if (name === "") return sealCcm(sealing, data);
  const cipher = createCipheriv(name as CipherCCMTypes, handle(key), iv, { authTagLength: tagLength });
  cipher.setAAD(additionalData, { plaintextLength: data.length });
  const sealed = Buffer.concat([cipher.update(data), cipher.final()]);
  return { data: new Uint8Array(sealed), tag: new Uint8Array(cipher.getAuthTag()) };
}

/** What an authenticated cipher needs; its name is empty where OpenSSL has no CCM of it. */
interface Sealing extends GcmInput, CcmInput {}

/** What it needs, if it is one that authenticates and has its IV. */
function authenticated(
  { name, tag: tagLength }: CipherRule,
  { algorithm, key, iv, additionalData = new Uint8Array() }: CipherInput,
): Sealing | undefined {
  return iv && tagLength
    ? { name, algorithm: String(algorithm), key, iv, additionalData, tagLength }
    : undefined;
}

function isLongGcm({ name, iv }: GcmInput): boolean {
  return iv.length > GCM_MAX_IV && name.endsWith("-gcm");
}

function keyWrapped({ algorithm = "AES", key }: CipherInput, method: AesKeyWrap, data: Uint8Array): Bytes {
  return new Uint8Array(
    algorithm === "AES" ? wrapAes(method, key, data) : wrapWith(String(algorithm), method, key, data),
  );
}

function keyUnwrapped({ algorithm = "AES", key }: CipherInput, method: AesKeyWrap, data: Uint8Array): Bytes {
  return new Uint8Array(
    algorithm === "AES" ? unwrapAes(method, key, data) : unwrapWith(String(algorithm), method, key, data),
  );
}

/** Refuses what goes beyond that many bytes. */
function bounded(maximum: number, transform: Transform<Bytes>): Transform<Bytes> {
  if (maximum === Infinity) return transform;
  let left = maximum;
  return {
    update(data) {
      left -= data.length;
      if (left < 0) throw new KmipError("CryptographicFailure", "The counter has come to its end");
      return transform.update(data);
    },
    final: transform.final,
  };
}

function joined(transform: Transform<Bytes>, data: Uint8Array): Bytes {
  return new Uint8Array(Buffer.concat([transform.update(data), transform.final()]));
}

/** What works on the whole only: gives everything when it is final. */
function gathering(whole: (data: Uint8Array) => Bytes): Transform<Bytes> {
  const gathered = new Gathered();
  return {
    update: (data) => gathered.push(data),
    final: () => whole(gathered.take()),
  };
}

/** Key and data of one length, byte by byte; a pad that is too short ends the operation. */
function oneTimePad(pad: Uint8Array): Transform<Bytes> {
  let at = 0;
  return {
    update(data) {
      if (at + data.length > pad.length)
        throw new KmipError("CryptographicFailure", "The pad is shorter than the data");
      const out = xor(data, pad.subarray(at, at + data.length));
      at += data.length;
      return new Uint8Array(out);
    },
    final: () => new Uint8Array(),
  };
}

function checkIvLength(
  rule: CipherRule,
  { ivLength }: CryptographicParameters,
  iv: Uint8Array | undefined,
): void {
  if (rule.tag && ivLength !== undefined && iv && iv.length !== ivLength)
    throw new KmipError("InvalidField", "The IV has another length than its parameter says");
}

function options({ tag }: CipherRule): object {
  return tag ? { authTagLength: tag } : {};
}

function pads({ paddingMethod }: CryptographicParameters): boolean {
  if (paddingMethod === undefined || paddingMethod === "None") return false;
  if (paddingMethod === "PKCS5") return true;
  throw new KmipError("UnsupportedCryptographicParameters", "Not a supported padding");
}

/** One error for whatever is wrong with data or ciphertext. */
function guarded<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof KmipError) throw error;
    throw new KmipError("CryptographicFailure", "The data cannot be processed");
  }
}

/** Node takes a key's bytes too, but then finding out what they are takes longer than the encryption of a KiB. */
function handle(key: Uint8Array): KeyObject {
  return createSecretKey(key);
}
