import { createPublicKey } from "node:crypto";
import {
  decodeKeyValue,
  encodeKeyValue,
  type KeyBlock,
  type KeyValue,
  type KeyWrappingSpecification,
  KmipEncodeError,
  KmipError,
  type ProtocolVersion,
} from "#protocol/kmip/index.ts";
import { NONCE_LENGTH, unwrapGcm, wrapGcm } from "../crypto/aes-gcm-wrap.ts";
import { unwrapAes, wrapAes } from "../crypto/aes-key-wrap.ts";
import { wrapHybrid } from "../crypto/hybrid.ts";
import { modulusBytes, unwrapOaep, wrapOaep } from "../crypto/rsa-oaep.ts";
import { classOf } from "../policy/classes.ts";
import { agreementKey } from "../policy/recipient.ts";
import type { ManagedObject } from "../store/managed-object.ts";
import { privateKeyOf, publicKeyOf, secretBytes } from "../store/material.ts";
import type { Randomness, Store } from "./context.ts";

type Parameters = NonNullable<
  NonNullable<KeyWrappingSpecification["encryptionKeyInformation"]>["cryptographicParameters"]
>;

/** What the wrapping key and the request together say of how to wrap (KMIP 2.1 §7.18 Key Wrapping Specification: the attribute gives defaults). */
export function wrappingParameters(key: ManagedObject, asked: Parameters | undefined): Parameters {
  if (asked && Object.values(asked).some((value) => value !== undefined)) return asked;
  return key.attributes.cryptographicParameters?.[0] ?? defaults(key);
}

function defaults(key: ManagedObject): Parameters {
  const asymmetric = key.objectType === "PublicKey" || key.objectType === "PrivateKey";
  return asymmetric ? { paddingMethod: "OAEP" } : { blockCipherMode: "NISTKeyWrap" };
}

/** A key's bytes as they were wrapped, and the nonce where the way of wrapping has one. */
interface Wrapped {
  bytes: Uint8Array<ArrayBuffer>;
  ivCounterNonce?: Uint8Array<ArrayBuffer>;
}

/** Wraps bytes under a wrapping key whose use has been checked. */
export function wrapBytes(
  key: ManagedObject,
  parameters: Parameters,
  plain: Uint8Array,
  { random, work }: Pick<Randomness, "random"> & Pick<Store, "work">,
): Wrapped {
  const agreement = agreementKey(key, work);
  if (agreement) return { bytes: wrapHybrid(publicKeyOf(agreement), publicKeyOf(key), plain) };
  if (key.objectType === "PublicKey") {
    checkOaep(parameters);
    return { bytes: new Uint8Array(wrapOaep(publicKeyOf(key), parameters, plain)) };
  }
  if (key.objectType === "PrivateKey" && classOf(key.attributes)) {
    // Of the hierarchy the private half stands for the pair.
    checkOaep(parameters);
    return { bytes: new Uint8Array(wrapOaep(createPublicKey(privateKeyOf(key)), parameters, plain)) };
  }
  const method = aesMethod(key, parameters);
  if (method !== "GCM") return { bytes: new Uint8Array(wrapAes(method, secretBytes(key), plain)) };
  const ivCounterNonce = random(NONCE_LENGTH);
  return { bytes: wrapGcm(secretBytes(key), ivCounterNonce, plain), ivCounterNonce };
}

/** Unwraps bytes by a resident key whose use has been checked. */
function unwrapBytes(
  key: ManagedObject,
  parameters: Parameters,
  { bytes, ivCounterNonce }: { bytes: Uint8Array; ivCounterNonce: Uint8Array | undefined },
): Uint8Array<ArrayBuffer> {
  if (key.objectType === "PrivateKey") {
    checkOaep(parameters);
    const privateKey = privateKeyOf(key);
    // RFC 8017 §7.1.2, step 1: OpenSSL would take the same number in fewer bytes.
    if (privateKey.asymmetricKeyType !== "rsa" || bytes.length !== modulusBytes(privateKey))
      throw new KmipError("CryptographicFailure", "The wrapped key does not open");
    return new Uint8Array(unwrapOaep(privateKey, parameters, bytes));
  }
  const method = aesMethod(key, parameters);
  if (method === "GCM") return unwrapGcm(secretBytes(key), ivCounterNonce, bytes);
  return new Uint8Array(unwrapAes(method, secretBytes(key), bytes));
}

function checkOaep({ paddingMethod }: Parameters): void {
  if (paddingMethod !== "OAEP")
    throw new KmipError("UnsupportedCryptographicParameters", "RSA wraps with OAEP here");
}

function aesMethod(key: ManagedObject, { blockCipherMode, tagLength = 16, ivLength }: Parameters) {
  if (key.attributes.cryptographicAlgorithm !== "AES")
    throw new KmipError("UnsupportedCryptographicParameters", "Not an AES key");
  if (blockCipherMode === "GCM") {
    if (tagLength !== 16 || (ivLength ?? NONCE_LENGTH) !== NONCE_LENGTH)
      throw new KmipError("UnsupportedCryptographicParameters", "AES-GCM wraps with 12 and 16 bytes here");
    return blockCipherMode;
  }
  if (blockCipherMode !== "NISTKeyWrap" && blockCipherMode !== "AESKeyWrapPadding")
    throw new KmipError("UnsupportedCryptographicParameters", "AES wraps by AES-KW, AES-KWP or AES-GCM here");
  return blockCipherMode;
}

/** A block that says how its key is wrapped. */
export type WrappedBlock = KeyBlock & { keyWrappingData: NonNullable<KeyBlock["keyWrappingData"]> };

export function isWrapped(block: KeyBlock | undefined): block is WrappedBlock {
  return block?.keyWrappingData !== undefined;
}

/** The block without its wrapping, opened by the resident key that it names, whose use has been checked. */
export function unwrapBlock(block: WrappedBlock, key: ManagedObject, version: ProtocolVersion): KeyBlock {
  const { keyValue, keyWrappingData, ...rest } = block;
  const { wrappingMethod, encryptionKeyInformation, macSignatureKeyInformation, encodingOption } =
    keyWrappingData;
  if (wrappingMethod !== "Encrypt" || macSignatureKeyInformation)
    throw new KmipError("KeyWrapTypeNotSupported", "Keys are wrapped by encryption only");
  const parameters = wrappingParameters(key, encryptionKeyInformation?.cryptographicParameters);
  checkNothingBeside(keyValue);
  const { ivCounterNonce } = keyWrappingData;
  const bytes = unwrapBytes(key, parameters, { bytes: wrappedBytes(keyValue), ivCounterNonce });
  const plain = encodingOption === "NoEncoding" ? { keyMaterial: bytes } : openTtlvKeyValue(bytes, version);
  return { ...rest, keyValue: plain };
}

/** The bytes of a key that is wrapped: the Key Value, or what stands in it. */
export function wrappedBytes(keyValue: KeyBlock["keyValue"]): Uint8Array {
  const wrapped = keyValue instanceof Uint8Array ? keyValue : keyValue?.keyMaterial;
  if (!(wrapped instanceof Uint8Array)) throw new KmipError("MissingData", "The wrapped key is missing");
  return wrapped;
}

/** KMIP 1.4 §2.1.4 Key Value: what is wrapped is a Byte String, with its attributes inside. */
export function checkNothingBeside(keyValue: KeyBlock["keyValue"]): void {
  if (keyValue && !(keyValue instanceof Uint8Array) && keyValue.attributes)
    throw new KmipError("InvalidField", "Attributes are wrapped with a key, and do not lie beside it");
}

/** The bytes of a key block that is not wrapped; for a transparent form there are none. */
export function blockBytes({ keyValue, keyWrappingData }: KeyBlock): Uint8Array {
  if (
    !keyValue ||
    keyWrappingData ||
    keyValue instanceof Uint8Array ||
    !(keyValue.keyMaterial instanceof Uint8Array)
  )
    throw new KmipError("EncodingOptionError", "The key is no byte string");
  return keyValue.keyMaterial;
}

/** TTLV encoding (the default of KMIP 2.1 §7.18 Key Wrapping Specification): the whole Key Value structure is what is encrypted. */
export function ttlvKeyValue(value: KeyValue, version: ProtocolVersion): Uint8Array {
  try {
    return encodeKeyValue(value, version);
  } catch (error) {
    if (!(error instanceof KmipEncodeError)) throw error;
    throw new KmipError("FeatureNotSupported", "The attributes have no form in this protocol version");
  }
}

/** Reads what `ttlvKeyValue` writes. Throws `EncodingOptionError`. */
function openTtlvKeyValue(bytes: Uint8Array, version: ProtocolVersion): KeyValue {
  try {
    const { keyMaterial, attributes, extensions } = decodeKeyValue(bytes, version);
    if (keyMaterial instanceof Uint8Array && extensions === undefined)
      return { keyMaterial, ...(attributes ? { attributes } : {}) };
  } catch {
    // Falls through to the same answer.
  }
  throw new KmipError("EncodingOptionError", "What was wrapped is no Key Value of bytes");
}
