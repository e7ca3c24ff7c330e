/** What an object says of itself, against what a request says of it. */
import { type Attributes, type KeyBlock, KmipError } from "#protocol/kmip/index.ts";
import { describeCertificate, parseCertificate } from "../crypto/certificate.ts";
import { describeKey } from "../crypto/transparent-key.ts";
import type { ObjectType, ObjectValue } from "../store/managed-object.ts";
import { parsePrivateKey, parsePublicKey } from "../store/material.ts";

const KINDS: Readonly<Record<string, keyof ObjectValue>> = {
  Certificate: "certificate",
  CertificateRequest: "certificateRequest",
  OpaqueObject: "opaqueObject",
  PGPKey: "pgpKey",
  PrivateKey: "privateKey",
  PublicKey: "publicKey",
  SecretData: "secretData",
  SplitKey: "splitKey",
  SymmetricKey: "symmetricKey",
  Template: "template",
};

/** The object must be of the type that the request says. */
export function checkKind(objectType: ObjectType, object: ObjectValue): void {
  const kind = KINDS[String(objectType)];
  if (!kind) throw new KmipError("InvalidObjectType", "Not a type of object that is kept here");
  if (object[kind] === undefined) throw new KmipError("InvalidField", "The object is of another type");
}

/** What the object says of itself; what the request says must not contradict it. */
export function described(objectType: ObjectType, object: ObjectValue, attributes: Attributes): Attributes {
  const own = ownDescription(objectType, object);
  const { cryptographicAlgorithm: algorithm, cryptographicLength: length } = own;
  const askedAlgorithm = attributes.cryptographicAlgorithm;
  if (algorithm && askedAlgorithm && !isSameKind(algorithm, askedAlgorithm))
    throw new KmipError("InvalidAttributeValue", "The key is of another algorithm");
  const asked = attributes.cryptographicLength;
  if (
    objectType !== "SecretData" &&
    length !== undefined &&
    asked !== undefined &&
    asked !== length &&
    !isDes(own, attributes)
  )
    throw new KmipError("InvalidAttributeValue", "The key has another length");
  return {
    ...own,
    cryptographicAlgorithm: askedAlgorithm ?? algorithm,
    cryptographicLength: asked ?? length,
  };
}

function isDes(...all: Attributes[]): boolean {
  return all.some(({ cryptographicAlgorithm }) => String(cryptographicAlgorithm).startsWith("DES"));
}

function ownDescription(objectType: ObjectType, object: ObjectValue): Attributes {
  const { certificate, opaqueObject, template } = object;
  // In 1.0 a template has its own name among the attributes that it holds.
  if (template?.attributes?.name) return { name: template.attributes.name };
  if (certificate) return describedCertificate(certificate);
  if (opaqueObject)
    return { opaqueDataType: opaqueObject.opaqueDataType as Attributes["opaqueDataType"] & {} };
  const block = (
    object.symmetricKey ??
    object.privateKey ??
    object.publicKey ??
    object.secretData ??
    object.splitKey ??
    object.pgpKey
  )?.keyBlock;
  return block ? describedBlock(objectType, block) : {};
}

function describedBlock(objectType: ObjectType, block: KeyBlock): Attributes {
  const said: Attributes = {
    keyFormatType: block.keyFormatType,
    cryptographicAlgorithm: block.cryptographicAlgorithm,
    cryptographicLength: block.cryptographicLength,
  };
  if (block.keyWrappingData || !block.keyValue || block.keyValue instanceof Uint8Array) return said;
  if (block.keyFormatType === "Opaque") return said;
  const { keyMaterial } = block.keyValue;
  if (objectType === "SymmetricKey") {
    const key = keyMaterial instanceof Uint8Array ? keyMaterial : keyMaterial.key;
    if (!key?.length) throw new KmipError("InvalidField", "The key has no bytes");
    return agreeing(said, { cryptographicLength: key.length * 8 });
  }
  if (objectType !== "PrivateKey" && objectType !== "PublicKey") return said;
  let found: Attributes;
  try {
    found = describeKey(objectType === "PrivateKey" ? parsePrivateKey(block) : parsePublicKey(block));
  } catch {
    // Kept as it came: servers store keys that they cannot use (KMIP Profiles 2.1, opaque managed object store).
    return said;
  }
  return agreeing(said, found);
}

/** What a key block says of a key, which must be what the key is. */
function agreeing(said: Attributes, found: Attributes): Attributes {
  const { cryptographicAlgorithm: algorithm, cryptographicLength: length } = said;
  const other =
    algorithm && found.cryptographicAlgorithm && !isSameKind(algorithm, found.cryptographicAlgorithm);
  if (other) throw new KmipError("InvalidField", "The key block says another algorithm than the key's");
  if (length !== undefined && length !== found.cryptographicLength && !isDes(said))
    throw new KmipError("InvalidField", "The key block says another length than the key's");
  return { ...found, ...defined(said) };
}

/** A key on a curve may be for one algorithm alone. */
const OF_CURVES: readonly unknown[] = ["EC", "ECDSA", "ECDH", "ECMQV"];

function isSameKind(one: unknown, other: unknown): boolean {
  return one === other || (OF_CURVES.includes(one) && OF_CURVES.includes(other));
}

function describedCertificate({
  certificateType,
  certificateValue,
}: NonNullable<ObjectValue["certificate"]>): Attributes {
  if (certificateType !== "X_509") return { certificateType };
  const certificate = parseCertificate(certificateValue);
  try {
    return {
      ...describeKey(certificate.publicKey),
      ...describeCertificate(certificateValue),
      certificateType,
      keyFormatType: "Raw",
    };
  } catch {
    throw new KmipError("InvalidField", "The certificate cannot be read");
  }
}

export function defined(attributes: Attributes): Attributes {
  return Object.fromEntries(Object.entries(attributes).filter(([, value]) => value !== undefined));
}
