/** Managed objects and the key block (KMIP 2.1 §2, §3). */

import { optionalAttributes } from "./attribute-fields.ts";
import { type TagName, tagNumber } from "./dictionary.ts";
import { KmipDecodeError, KmipEncodeError } from "./errors.ts";
import type { Bytes } from "./item.ts";
import { keyInformation } from "./parameters.ts";
import {
  bigInteger,
  byteString,
  type Codec,
  either,
  enumeration,
  extensionEnumeration,
  type Field,
  type Infer,
  integer,
  optional,
  required,
  structure,
} from "./schema.ts";
import { decodeTtlv, encodeTtlv } from "./ttlv.ts";
import { NEWEST, type ProtocolVersion, versionIndex } from "./version.ts";

const isBytes = (value: unknown): value is Bytes => value instanceof Uint8Array;

/** KMIP 2.1 §3, Transparent Keys: the fields of all of them, in an order that serves each. */
const transparentKey = structure({
  key: optional(byteString),
  modulus: optional(bigInteger),
  privateExponent: optional(bigInteger),
  publicExponent: optional(bigInteger),
  p: optional(bigInteger),
  q: optional(bigInteger),
  g: optional(bigInteger),
  j: optional(bigInteger),
  primeExponentP: optional(bigInteger),
  primeExponentQ: optional(bigInteger),
  crtCoefficient: optional(bigInteger),
  x: optional(bigInteger),
  y: optional(bigInteger),
  recommendedCurve: optional(enumeration("RecommendedCurve"), { essential: true }),
  d: optional(bigInteger),
  qString: optional(byteString),
});
export type TransparentKey = Infer<typeof transparentKey>;

/** The TTLV encoding of transparent Key Material: what its digest is of (KMIP 2.1 §4.21 Digest). */
export function encodeTransparentKey(key: TransparentKey): Uint8Array {
  return encodeTtlv(
    transparentKey.encode(tagNumber("KeyMaterial"), key, { version: NEWEST, direction: "response" }),
  );
}

/** KMIP 2.1 §3.2 Key Value; `keyMaterial` is missing where a server holds no key value. */
const keyValue = structure({
  keyMaterial: required(either(byteString, ["ByteString"], transparentKey, isBytes)),
  attributes: optionalAttributes("Attribute"),
});
export type KeyValue = Infer<typeof keyValue>;

/** A Key Value as what is wrapped with the TTLV encoding. Throws `KmipEncodeError` for what the version does not have. */
export function encodeKeyValue(value: KeyValue, version: ProtocolVersion): Bytes {
  const context = { version: versionIndex(version), direction: "request" } as const;
  return encodeTtlv(keyValue.encode(tagNumber("KeyValue"), value, context));
}

/** Reads what `encodeKeyValue` writes, with attributes in the form of 1.x or of 2.x. Throws `KmipDecodeError`. */
export function decodeKeyValue(bytes: Uint8Array, version: ProtocolVersion): KeyValue {
  const item = decodeTtlv(bytes);
  if (item.tag !== tagNumber("KeyValue")) throw new KmipDecodeError("not a Key Value");
  return keyValue.decode(item, { version: versionIndex(version), direction: "request" });
}

/** KMIP 2.1 §3.3 Key Wrapping Data */
const keyWrappingData = structure({
  wrappingMethod: required(enumeration("WrappingMethod")),
  encryptionKeyInformation: optional(keyInformation),
  macSignatureKeyInformation: optional(keyInformation),
  macSignature: optional(byteString),
  ivCounterNonce: optional(byteString),
  // KMIP 1.0 has none: who wraps without the encoding there (PyKMIP) knows what comes back.
  encodingOption: optional(enumeration("EncodingOption"), { spared: true }),
});
export type KeyWrappingData = Infer<typeof keyWrappingData>;

const block = structure({
  keyFormatType: required(enumeration("KeyFormatType")),
  keyCompressionType: optional(enumeration("KeyCompressionType"), { essential: true }),
  keyValue: optional(either(byteString, ["ByteString"], keyValue, isBytes), { essential: true }),
  cryptographicAlgorithm: optional(enumeration("CryptographicAlgorithm")),
  cryptographicLength: optional(integer),
  keyWrappingData: optional(keyWrappingData, { essential: true }),
});
export type KeyBlock = Infer<typeof block>;

/** Formats whose bytes do not say of which algorithm the key is. */
const SILENT: ReadonlySet<unknown> = new Set(["Raw", "Opaque", "TransparentSymmetricKey"]);
const algorithms = enumeration("CryptographicAlgorithm");

/**
 * KMIP 2.1 §3.1 Key Block. The key value is bytes where it is wrapped with its TTLV encoding. The algorithm may be left
 * out only where the key value says it.
 */
const keyBlock: Codec<KeyBlock> = {
  encode(tag, value, context) {
    const { cryptographicAlgorithm: algorithm, keyFormatType, keyWrappingData: wrapping } = value;
    if (algorithm !== undefined && (wrapping !== undefined || SILENT.has(keyFormatType)))
      algorithms.encode(tagNumber("CryptographicAlgorithm"), algorithm, context);
    return block.encode(tag, value, context);
  },
  decode: block.decode,
};

const OBJECTS = {
  certificate: structure({
    certificateType: required(enumeration("CertificateType")),
    certificateValue: required(byteString),
  }),
  certificateRequest: structure({
    certificateRequestType: required(enumeration("CertificateRequestType")),
    certificateRequestValue: required(byteString),
  }),
  opaqueObject: structure({
    opaqueDataType: required(extensionEnumeration),
    opaqueDataValue: required(byteString),
  }),
  pgpKey: structure({ pgpKeyVersion: required(integer), keyBlock: required(keyBlock) }),
  privateKey: structure({ keyBlock: required(keyBlock) }),
  publicKey: structure({ keyBlock: required(keyBlock) }),
  secretData: structure({
    secretDataType: required(enumeration("SecretDataType")),
    keyBlock: required(keyBlock),
  }),
  splitKey: structure({
    splitKeyParts: required(integer),
    keyPartIdentifier: required(integer),
    splitKeyThreshold: required(integer),
    splitKeyMethod: required(enumeration("SplitKeyMethod")),
    primeFieldSize: optional(bigInteger),
    keyBlock: required(keyBlock),
  }),
  symmetricKey: structure({ keyBlock: required(keyBlock) }),
  /** KMIP 1.4 §2.2.6 Template; gone in 2.0. */
  template: structure({ attributes: optionalAttributes("Attribute") }),
};

type Objects = { [K in keyof typeof OBJECTS]: Infer<(typeof OBJECTS)[K]> };

/** A managed object: exactly one of the properties, so `object.symmetricKey?.keyBlock` reads on. */
export type ManagedObject = {
  [K in keyof Objects]: { [P in K]: Objects[K] } & { [P in Exclude<keyof Objects, K>]?: undefined };
}[keyof Objects];

export type Certificate = Objects["certificate"];

const OBJECT_TAGS: Record<keyof Objects, TagName> = {
  certificate: "Certificate",
  certificateRequest: "CertificateRequest",
  opaqueObject: "OpaqueObject",
  pgpKey: "PGPKey",
  privateKey: "PrivateKey",
  publicKey: "PublicKey",
  secretData: "SecretData",
  splitKey: "SplitKey",
  symmetricKey: "SymmetricKey",
  template: "Template",
};

const kinds = Object.entries(OBJECT_TAGS).map(([kind, tag]) => ({
  kind: kind as keyof Objects,
  tag: tagNumber(tag),
  codec: OBJECTS[kind as keyof Objects] as Codec<unknown>,
}));

function managedObject<P extends "required" | "optional">(presence: P): Field<ManagedObject, P> {
  return {
    presence,
    bind: (property) => ({
      property,
      tags: kinds.map(({ tag }) => tag),
      write(value, items, context) {
        if (value === undefined && presence === "optional") return;
        const object = (value ?? {}) as Record<string, unknown>;
        const [found, ...others] = kinds.filter(({ kind }) => object[kind] !== undefined);
        if (found === undefined || others.length > 0)
          throw new KmipEncodeError(`${property} must hold one managed object`);
        const { kind, tag, codec } = found;
        items.push(codec.encode(tag, object[kind], context));
      },
      read(target, item, context) {
        if (target[property] !== undefined) throw new KmipDecodeError("two managed objects");
        const found = kinds.find(({ tag }) => tag === item.tag);
        if (found === undefined) throw new KmipDecodeError("not a managed object");
        target[property] = { [found.kind]: found.codec.decode(item, context) };
      },
      finish(target) {
        if (presence === "required" && target[property] === undefined)
          throw new KmipDecodeError("managed object is missing");
      },
    }),
  };
}

/** The managed object of a payload. */
export const object = managedObject("required");
/** The managed object of a payload that may lack it. */
export const optionalObject = managedObject("optional");

/** A Certificate object by itself, as Validate takes it. */
export const certificate = OBJECTS.certificate;
