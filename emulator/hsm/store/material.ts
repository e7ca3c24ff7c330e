import { createHash, createPrivateKey, createPublicKey, type KeyObject, X509Certificate } from "node:crypto";
import { type KeyBlock, KmipError } from "#protocol/kmip/index.ts";
import { rawPublicKey, transparentPrivateKey, transparentPublicKey } from "../crypto/transparent-key.ts";
import { isDestroyed, type ManagedObject, type ObjectValue } from "./managed-object.ts";
import type { OpenedObject } from "./opened.ts";

/** The secret or public value inside an object, in the shape that cryptography takes. */

/** The object's key block; throws for objects that have none, or whose value was destroyed or is archived. */
export function keyBlockOf(object: ManagedObject): KeyBlock {
  const value = heldBy(object);
  const [holder] = Object.values(value);
  if (!holder || !("keyBlock" in holder)) throw new KmipError("InvalidObjectType", "The object is not a key");
  return holder.keyBlock;
}

/** Key bytes of a symmetric key or secret data. Throws where it is kept as wrapped by someone else. */
export function secretBytes(object: ManagedObject): Uint8Array {
  if (object.objectType !== "SymmetricKey" && object.objectType !== "SecretData")
    throw new KmipError("InvalidObjectType", "The object is not a symmetric key");
  const material = plainMaterial(keyBlockOf(object));
  if (material instanceof Uint8Array) return material;
  if (material.key) return material.key;
  throw new KmipError("KeyFormatTypeNotSupported", "The key has a form that is not supported");
}

/** A private key, ready to use. */
export function privateKeyOf(object: ManagedObject): KeyObject {
  if (object.objectType !== "PrivateKey")
    throw new KmipError("InvalidObjectType", "The object is not a private key");
  const block = keyBlockOf(object);
  const from = readings.get(object);
  if (!from || from.value !== object.value) return parsePrivateKey(block);
  from.row.privateKey ??= parsePrivateKey(block);
  return from.row.privateKey;
}

/** Of an object that was read, as far as it has its value still: the row, with which ends what is made of it. */
const readings = new WeakMap<ManagedObject, { row: OpenedObject; value: ObjectValue | undefined }>();

/** The object was read from this row. */
export function wasRead(object: ManagedObject, row: OpenedObject): ManagedObject {
  readings.set(object, { row, value: object.value });
  return object;
}

/** A public key, ready to use: of a public key, or of a certificate. */
export function publicKeyOf(object: ManagedObject): KeyObject {
  if (object.objectType === "Certificate") return new X509Certificate(certificateDer(object)).publicKey;
  if (object.objectType !== "PublicKey")
    throw new KmipError("InvalidObjectType", "The object is not a public key");
  return parsePublicKey(keyBlockOf(object));
}

/** The DER bytes of an X.509 certificate. */
export function certificateDer(object: ManagedObject): Uint8Array {
  const { certificate } = heldBy(object);
  if (certificate?.certificateType !== "X_509")
    throw new KmipError("InvalidObjectType", "Not an X.509 certificate");
  return certificate.certificateValue;
}

/** Reads a private key of any supported format; throws `InvalidField` for anything else. */
export function parsePrivateKey(block: KeyBlock): KeyObject {
  return bounded(readPrivateKey(block));
}

function readPrivateKey(block: KeyBlock): KeyObject {
  const material = plainMaterial(block);
  try {
    if (!(material instanceof Uint8Array)) return transparentPrivateKey(block, material);
    const key = Buffer.from(material);
    switch (block.keyFormatType) {
      case "PKCS_8":
        return createPrivateKey({ key, format: "der", type: "pkcs8" });
      case "PKCS_1":
        return createPrivateKey({ key, format: "der", type: "pkcs1" });
      case "ECPrivateKey":
        return createPrivateKey({ key, format: "der", type: "sec1" });
    }
  } catch (error) {
    throw unreadable(error);
  }
  throw new KmipError("KeyFormatTypeNotSupported", "Not a supported format of private keys");
}

/** Reads a public key of any supported format; throws `InvalidField` for anything else. */
export function parsePublicKey(block: KeyBlock): KeyObject {
  return bounded(readPublicKey(block));
}

function readPublicKey(block: KeyBlock): KeyObject {
  const material = plainMaterial(block);
  try {
    if (!(material instanceof Uint8Array)) return transparentPublicKey(block, material);
    switch (block.keyFormatType) {
      case "X_509":
        return readOnce(material, "spki");
      case "PKCS_1":
        return readOnce(material, "pkcs1");
      case "Raw":
        return rawPublicKey(block, material);
    }
  } catch (error) {
    throw unreadable(error);
  }
  throw new KmipError("KeyFormatTypeNotSupported", "Not a supported format of public keys");
}

/** Public keys by what they were read from, which they follow from alone: OpenSSL takes longer to read one than to wrap to it. The oldest goes first. */
const read = new Map<string, KeyObject>();
const MAX_READ = 1024;

function readOnce(material: Uint8Array, type: "spki" | "pkcs1"): KeyObject {
  const name = `${type} ${createHash("sha256").update(material).digest("base64")}`;
  const key = read.get(name) ?? createPublicKey({ key: Buffer.from(material), format: "der", type });
  read.delete(name);
  read.set(name, key);
  const [oldest] = read.keys();
  if (read.size > MAX_READ && oldest !== undefined) read.delete(oldest);
  return key;
}

/** Bits of a modulus with which one use takes well below a second; longer keys are kept and not used. */
const MAX_MODULUS_BITS = 8192;

function bounded(key: KeyObject): KeyObject {
  if ((key.asymmetricKeyDetails?.modulusLength ?? 0) > MAX_MODULUS_BITS)
    throw new KmipError("KeyFormatTypeNotSupported", "The key is too long to be used here");
  return key;
}

function plainMaterial({ keyValue, keyWrappingData }: KeyBlock) {
  if (!keyValue) throw new KmipError("KeyValueNotPresent", "The key's value is not here");
  if (keyWrappingData || keyValue instanceof Uint8Array)
    throw new KmipError("KeyWrapTypeNotSupported", "The key is kept as somebody wrapped it");
  return keyValue.keyMaterial;
}

function heldBy(object: ManagedObject): ObjectValue {
  const { value, attributes } = object;
  if (isDestroyed(object)) throw new KmipError("ObjectDestroyed", "The object was destroyed");
  if (!value) throw new KmipError("KeyValueNotPresent", "The object's value is not here");
  if (attributes.archiveDate) throw new KmipError("ObjectArchived", "The object is archived");
  return value;
}

/** OpenSSL's words stay inside: they can say something about the key. */
function unreadable(cause: unknown): KmipError {
  return cause instanceof KmipError ? cause : new KmipError("InvalidField", "The key cannot be read");
}
