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
import { GCM_LONGEST_IV, type GcmInput, openGcm, sealGcm } from "./gcm-long-iv.ts";
import type { Transform } from "./transform.ts";

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
  if (rule.wrap) return gathering((data) => keyWrapped(input, rule.wrap!, data));
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
  if (rule.wrap) return gathering((data) => keyUnwrapped(input, rule.wrap!, data));
  if (rule.pad) return oneTimePad(key);
  if (rule.iv > 0 && !iv) throw new KmipError("InvalidMessage", "The IV is missing");
  checkIvLength(rule, parameters, iv);
  if (rule.tag) return opening(rule, input);
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
  const seal = isLongGcm(rule, input)
    ? (data: Uint8Array) => sealGcm(gcmInput(rule, input), data)
    : rule.ccm && ((data: Uint8Array) => sealByCcm(rule, input, data));
  if (!seal) return undefined;
  let tag: Bytes | undefined;
  const work = (data: Uint8Array) => {
    const sealed = guarded(() => seal(data));
    tag = sealed.tag;
    return sealed.data;
  };
  return { ...gathering(work), tag: () => tag! };
}

/** Nothing comes out before the tag was verified, and so nothing before the end. */
function opening(rule: CipherRule, input: CipherInput): Decryption {
  let expected: Uint8Array | undefined;
  let atEnd = false;
  const open = (given: Uint8Array) => {
    const end = atEnd && !expected ? Math.max(0, given.length - rule.tag!) : given.length;
    const data = given.subarray(0, end);
    const tag = expected ?? (atEnd ? given.subarray(end) : undefined);
    // A shorter tag is easier to forge: the parameters say how long it is, not the tag (NIST SP 800-38D §5.2.2).
    if (!tag || tag.length !== rule.tag) throw new KmipError("InvalidField", "The tag has another length");
    return guarded(() =>
      isLongGcm(rule, input) ? openGcm(gcmInput(rule, input), data, tag) : opened(rule, input, data, tag),
    );
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

function opened(rule: CipherRule, input: CipherInput, data: Uint8Array, tag: Uint8Array): Bytes {
  const { key, parameters, iv, additionalData = new Uint8Array() } = input;
  if (rule.name === "") return openCcm(ccmInput(rule, input), data, tag);
  const decipher = createDecipheriv(
    rule.name,
    handle(key),
    ivBytes(rule, iv, parameters),
    options(rule),
  ) as DecipherGCM;
  decipher.setAuthTag(tag);
  decipher.setAAD(additionalData, { plaintextLength: data.length });
  return new Uint8Array(Buffer.concat([decipher.update(data), decipher.final()]));
}

/** CCM (NIST SP 800-38C) begins with the length of the message. */
function sealByCcm(rule: CipherRule, input: CipherInput, data: Uint8Array): { data: Bytes; tag: Bytes } {
  const { key, parameters, iv, additionalData = new Uint8Array() } = input;
  if (rule.name === "") return sealCcm(ccmInput(rule, input), data);
  const cipher = createCipheriv(rule.name as CipherCCMTypes, handle(key), ivBytes(rule, iv, parameters)!, {
    authTagLength: rule.tag!,
  });
  cipher.setAAD(additionalData, { plaintextLength: data.length });
  const sealed = Buffer.concat([cipher.update(data), cipher.final()]);
  return { data: new Uint8Array(sealed), tag: new Uint8Array(cipher.getAuthTag()) };
}

function ccmInput({ tag }: CipherRule, { algorithm, key, iv, additionalData }: CipherInput): CcmInput {
  const none = new Uint8Array();
  return {
    algorithm: String(algorithm),
    key,
    iv: iv!,
    additionalData: additionalData ?? none,
    tagLength: tag!,
  };
}

function isLongGcm({ name }: CipherRule, { iv }: CipherInput): boolean {
  return iv !== undefined && iv.length > GCM_LONGEST_IV && name.endsWith("-gcm");
}

function gcmInput({ name, tag }: CipherRule, { key, iv, additionalData }: CipherInput): GcmInput {
  return { name, key, iv: iv!, additionalData: additionalData ?? new Uint8Array(), tagLength: tag! };
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
function bounded(most: number, transform: Transform<Bytes>): Transform<Bytes> {
  if (most === Infinity) return transform;
  let left = most;
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
      const out = data.map((byte, i) => byte ^ pad[at + i]!);
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
