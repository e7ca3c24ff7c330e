import type { KeyObject } from "node:crypto";
import { concat, decodeHex } from "#protocol/bytes.ts";
import { type KeyBlock, KmipError } from "#protocol/kmip/index.ts";
import { transparentOf } from "../crypto/transparent-key.ts";
import type { ManagedObject } from "../store/managed-object.ts";
import { privateKeyOf, publicKeyOf, secretBytes } from "../store/material.ts";

type Format = KeyBlock["keyFormatType"];

/** The key block in the format that was asked for; in the one that it came in where none was. */
export function inFormat(object: ManagedObject, block: KeyBlock, format: Format | undefined): KeyBlock {
  if (format === undefined || format === block.keyFormatType) return block;
  return { ...block, keyFormatType: format, keyValue: { keyMaterial: material(object, format) } };
}

function material(object: ManagedObject, format: Format) {
  switch (object.objectType) {
    case "SymmetricKey":
    case "SecretData": {
      const bytes = new Uint8Array(secretBytes(object));
      if (format === "Raw" || format === "Opaque") return bytes;
      if (format === "TransparentSymmetricKey" && object.objectType === "SymmetricKey") return { key: bytes };
      break;
    }
    case "PrivateKey": {
      const key = privateKeyOf(object);
      if (format === "PKCS_8") return der(key, "pkcs8");
      if (format === "PKCS_1" && key.asymmetricKeyType === "rsa") return der(key, "pkcs1");
      if (format === "ECPrivateKey" && key.asymmetricKeyType === "ec") return der(key, "sec1");
      if (String(format).startsWith("Transparent")) return transparent(key, format);
      break;
    }
    case "PublicKey": {
      const key = publicKeyOf(object);
      if (format === "X_509") return der(key, "spki");
      if (format === "PKCS_1" && key.asymmetricKeyType === "rsa") return der(key, "pkcs1");
      if (String(format).startsWith("Transparent")) return transparent(key, format);
      break;
    }
  }
  throw new KmipError("KeyFormatTypeNotSupported", "The key cannot be given in that format");
}

function transparent(key: KeyObject, format: Format) {
  const kind = key.asymmetricKeyType === "rsa" ? "RSA" : "EC";
  if (!String(format).startsWith(`Transparent${kind}`))
    throw new KmipError("KeyFormatTypeNotSupported", "The key cannot be given in that format");
  return transparentOf(key, format);
}

/** PKCS#8 of an ML-DSA-65 key up to its seed of 32 bytes (RFC 9881 §6), as WebCrypto has it; OpenSSL adds the expanded key. */
const ML_DSA_65_PREFIX = decodeHex("3034020100300b060960864801650304031204228020");

/** DER of a key in that structure. Throws for an ML-DSA key that came without its seed. */
export function der(key: KeyObject, type: "pkcs1" | "pkcs8" | "sec1" | "spki"): Uint8Array<ArrayBuffer> {
  if (type === "pkcs8" && key.asymmetricKeyType === "ml-dsa-65")
    return concat(ML_DSA_65_PREFIX, new Uint8Array(key.export({ format: "raw-seed" })));
  return new Uint8Array(key.export({ format: "der", type: type as "pkcs8" }));
}
