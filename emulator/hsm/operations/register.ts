import { type Attributes, type KeyBlock, KmipError } from "#protocol/kmip/index.ts";
import { describeCertificate, parseCertificate } from "../crypto/certificate.ts";
import { describeKey } from "../crypto/transparent-key.ts";
import { admitAttributes } from "../policy/admission.ts";
import { verifyRecipient } from "../policy/recipient.ts";
import { isRestricted } from "../policy/roles.ts";
import type { ManagedObject, ObjectType, ObjectValue } from "../store/managed-object.ts";
import { parsePrivateKey, parsePublicKey } from "../store/material.ts";
import type { Context } from "./context.ts";
import type { Handler } from "./handler.ts";
import { newIdentifier } from "./identifier.ts";
import { withKeyValueAttributes } from "./key-value-attributes.ts";
import { addLink } from "./links.ts";
import { checkSettable, putNew } from "./new-object.ts";
import type { Operation } from "./operation.ts";
import { unpacked } from "./pkcs12.ts";

/** Register (KMIP 2.1 §6.1.43): an object that was made elsewhere. */
const register: Handler<"Register"> = (request, context) => {
  const { subject, work, now } = context;
  const { objectType } = request;
  if (!request.object) throw new KmipError("MissingData", "The object is missing");
  const { attributes, object } = withKeyValueAttributes(
    objectType,
    request.object,
    request.attributes,
    context,
  );
  checkSettable(attributes);
  admitAttributes(subject, "Register", objectType, attributes);
  checkKind(objectType, object);
  if (isRestricted(subject.role)) checkRegistrar(objectType, object);
  const opened = objectType === "PrivateKey" ? unpacked(object, attributes, context) : undefined;
  const { value = object, attributes: named } = opened ?? {};
  const registered = putNew(context, {
    uid: newIdentifier(context),
    objectType,
    attributes: { ...named, ...attributes, ...described(objectType, value, attributes) },
    value,
    made: false,
  });
  if (opened) putChain(registered, opened.certificates, context);
  if (isRestricted(subject.role) && objectType === "PublicKey") {
    const { vendorAttributes = [] } = registered.attributes;
    registered.attributes.vendorAttributes = [...vendorAttributes, ...verifyRecipient(registered, work, now)];
    work.put(registered);
  }
  context.references.set(registered.uid, "Register");
  return { uniqueIdentifier: registered.uid };
};

/** The certificates that came with a private key: each is linked from what stands before it (TC-PKCS12-1). */
function putChain(
  key: ManagedObject,
  certificates: readonly Uint8Array<ArrayBuffer>[],
  context: Context,
): void {
  let last = key;
  for (const certificateValue of certificates) {
    const value = { certificate: { certificateType: "X_509" as const, certificateValue } };
    const { pkcs_12FriendlyName } = last === key ? key.attributes : {};
    const certificate = putNew(context, {
      uid: newIdentifier(context),
      objectType: "Certificate",
      attributes: defined({ pkcs_12FriendlyName, ...described("Certificate", value, {}) }),
      value,
      made: false,
    });
    addLink(last, "PKCS_12CertificateLink", certificate.uid, context);
    last = certificate;
  }
}

/** The registration authority brings in certificates and recipients' public keys, bare, and nothing else. */
function checkRegistrar(objectType: ObjectType, object: ObjectValue): void {
  const block = object.publicKey?.keyBlock;
  const bare = block?.keyFormatType === "X_509" && !block.keyWrappingData && !block.keyCompressionType;
  if (objectType !== "Certificate" && !(objectType === "PublicKey" && bare))
    throw new KmipError("PermissionDenied", "Not allowed for this identity");
}

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

function defined(attributes: Attributes): Attributes {
  return Object.fromEntries(Object.entries(attributes).filter(([, value]) => value !== undefined));
}

export const Register: Operation<"Register"> = {
  handler: register,
  needsValue: false,
  unattested: false,
  deferrable: true,
  undoable: true,
  roles: ["ra"],
  ticket: "none",
  policyName: undefined,
  shared: false,
};
