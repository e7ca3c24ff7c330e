import {
  decodeItem,
  encodeItem,
  type KeyBlock,
  type KeyWrappingSpecification,
  KmipError,
  tagNumber,
} from "#protocol/kmip/index.ts";
import { unwrapAes, wrapAes } from "../crypto/aes-key-wrap.ts";
import { wrapOaep } from "../crypto/rsa-oaep.ts";
import type { ManagedObject } from "../managed-object.ts";
import { publicKeyOf, secretBytes } from "../material.ts";

type Parameters = NonNullable<
  NonNullable<KeyWrappingSpecification["encryptionKeyInformation"]>["cryptographicParameters"]
>;

/** What the wrapping key and the request together say of how to wrap (KMIP 2.1 §7.18: the attribute gives defaults). */
export function wrappingParameters(key: ManagedObject, asked: Parameters | undefined): Parameters {
  if (asked && Object.values(asked).some((value) => value !== undefined)) return asked;
  return key.attributes.cryptographicParameters?.[0] ?? defaults(key);
}

function defaults(key: ManagedObject): Parameters {
  return key.objectType === "PublicKey" ? { paddingMethod: "OAEP" } : { blockCipherMode: "NISTKeyWrap" };
}

/** Wraps bytes under a wrapping key whose use has been checked. */
export function wrapBytes(
  key: ManagedObject,
  parameters: Parameters,
  plain: Uint8Array,
): Uint8Array<ArrayBuffer> {
  if (key.objectType === "PublicKey") {
    if (parameters.paddingMethod !== "OAEP")
      throw new KmipError("UnsupportedCryptographicParameters", "RSA wraps with OAEP here");
    return new Uint8Array(wrapOaep(publicKeyOf(key), parameters, plain));
  }
  return new Uint8Array(wrapAes(aesMethod(key, parameters), secretBytes(key), plain));
}

/** Unwraps bytes by a resident key whose use has been checked. */
export function unwrapBytes(
  key: ManagedObject,
  parameters: Parameters,
  wrapped: Uint8Array,
): Uint8Array<ArrayBuffer> {
  return new Uint8Array(unwrapAes(aesMethod(key, parameters), secretBytes(key), wrapped));
}

function aesMethod(key: ManagedObject, { blockCipherMode }: Parameters) {
  if (key.attributes.cryptographicAlgorithm !== "AES")
    throw new KmipError("UnsupportedCryptographicParameters", "Not an AES key");
  if (blockCipherMode !== "NISTKeyWrap" && blockCipherMode !== "AESKeyWrapPadding")
    throw new KmipError("UnsupportedCryptographicParameters", "AES wraps by AES-KW or AES-KWP here");
  return blockCipherMode;
}

/** The block without its wrapping, opened by the resident key that it names, whose use has been checked. */
export function unwrapBlock(block: KeyBlock, key: ManagedObject): KeyBlock {
  const { keyValue, keyWrappingData, ...rest } = block;
  const { wrappingMethod, encryptionKeyInformation, macSignatureKeyInformation, encodingOption } =
    keyWrappingData!;
  if (wrappingMethod !== "Encrypt" || macSignatureKeyInformation)
    throw new KmipError("KeyWrapTypeNotSupported", "Keys are wrapped by encryption only");
  const parameters = wrappingParameters(key, encryptionKeyInformation?.cryptographicParameters);
  const wrapped = keyValue instanceof Uint8Array ? keyValue : keyValue?.keyMaterial;
  if (!(wrapped instanceof Uint8Array)) throw new KmipError("MissingData", "The wrapped key is missing");
  const bytes = unwrapBytes(key, parameters, wrapped);
  const plain = encodingOption === "NoEncoding" ? { keyMaterial: bytes } : openTtlvKeyValue(bytes);
  return { ...rest, keyValue: plain };
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

/** TTLV encoding (the default of KMIP 2.1 §7.18): the whole Key Value structure is what is encrypted. */
export function ttlvKeyValue(keyMaterial: Uint8Array<ArrayBuffer>): Uint8Array {
  return encodeItem({
    tag: tagNumber("KeyValue"),
    type: "Structure",
    value: [{ tag: tagNumber("KeyMaterial"), type: "ByteString", value: keyMaterial }],
  });
}

/** Reads what `ttlvKeyValue` writes; attributes in it are left aside. Throws `EncodingOptionError`. */
export function openTtlvKeyValue(bytes: Uint8Array): { keyMaterial: Uint8Array<ArrayBuffer> } {
  try {
    const item = decodeItem(bytes);
    if (item.tag === tagNumber("KeyValue") && item.type === "Structure") {
      const [material] = item.value;
      if (material?.tag === tagNumber("KeyMaterial") && material.type === "ByteString")
        return { keyMaterial: new Uint8Array(material.value) };
    }
  } catch {
    // Falls through to the same answer.
  }
  throw new KmipError("EncodingOptionError", "What was wrapped is no Key Value of bytes");
}
