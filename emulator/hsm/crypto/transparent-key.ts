import { createPrivateKey, createPublicKey, type JsonWebKey, type KeyObject } from "node:crypto";
import { encodeBase64url } from "#protocol/base64url.ts";
import { decodeHex } from "#protocol/bytes.ts";
import { KEM_BITS, ML_KEM_768 } from "#protocol/hybrid.ts";
import { type Attributes, type KeyBlock, KmipError, type TransparentKey } from "#protocol/kmip/index.ts";
import { ML_DSA_65, ML_DSA_65_LENGTH } from "#protocol/signatures.ts";
import { CURVES, type Curve, type CurveName, curveOfOpenssl } from "./curves.ts";
import {
  bitString,
  explicit,
  objectIdentifier,
  octetString,
  sequence,
  integer as smallInteger,
  unsigned,
} from "./der.ts";

/**
 * Transparent keys (KMIP 2.1 §3, Transparent Keys) to keys of node:crypto and back: RSA by way of JSON Web Keys, which take numbers,
 * others by way of DER.
 */

type Bytes = Uint8Array<ArrayBuffer>;

/** A private key; throws `KmipError`, or what node:crypto throws. */
export function transparentPrivateKey(block: KeyBlock, key: TransparentKey): KeyObject {
  switch (block.keyFormatType) {
    case "TransparentRSAPrivateKey": {
      const jwk = {
        kty: "RSA",
        n: integer(key.modulus),
        e: integer(key.publicExponent),
        d: integer(key.privateExponent),
        p: integer(key.p),
        q: integer(key.q),
        dp: integer(key.primeExponentP),
        dq: integer(key.primeExponentQ),
        qi: integer(key.crtCoefficient),
      };
      return createPrivateKey({ key: jwk, format: "jwk" });
    }
    case "TransparentDSAPrivateKey": {
      const algorithm = dsaAlgorithm(key);
      const der = sequence(smallInteger(0), algorithm, octetString(unsigned(positive(key.x))));
      return createPrivateKey({ key: Buffer.from(der), format: "der", type: "pkcs8" });
    }
    case "TransparentECPrivateKey":
    case "TransparentECDSAPrivateKey":
    case "TransparentECDHPrivateKey":
      return ecPrivateKey(key);
  }
  throw new KmipError("KeyFormatTypeNotSupported", "Not a supported form of private keys");
}

/** A public key; throws `KmipError`, or what node:crypto throws. */
export function transparentPublicKey(block: KeyBlock, key: TransparentKey): KeyObject {
  switch (block.keyFormatType) {
    case "TransparentRSAPublicKey": {
      const jwk = { kty: "RSA", n: integer(key.modulus), e: integer(key.publicExponent) };
      return createPublicKey({ key: jwk, format: "jwk" });
    }
    case "TransparentDSAPublicKey":
      return publicKeyFrom(dsaAlgorithm(key), unsigned(positive(key.y)));
    case "TransparentECPublicKey":
    case "TransparentECDSAPublicKey":
    case "TransparentECDHPublicKey":
      return ecPublicKey(key);
  }
  throw new KmipError("KeyFormatTypeNotSupported", "Not a supported form of public keys");
}

/** A public key that is its bytes: Ed25519 and Ed448 (RFC 8032), where the key block says so. */
export function rawPublicKey({ cryptographicAlgorithm }: KeyBlock, bytes: Uint8Array): KeyObject {
  return publicKeyFrom(rawAlgorithm(cryptographicAlgorithm), bytes);
}

/** Algorithms whose public keys are bytes (RFC 8410 §3): signatures by algorithm, agreements by curve. */
const RAW_KEYS: ReadonlyMap<unknown, string> = new Map([
  ["Ed25519", "1.3.101.112"],
  ["Ed448", "1.3.101.113"],
  ["CURVE25519", "1.3.101.110"],
  ["CURVE448", "1.3.101.111"],
]);

function rawAlgorithm(name: unknown): Bytes {
  const oid = RAW_KEYS.get(name);
  if (!oid) throw new KmipError("KeyFormatTypeNotSupported", "Not a supported format of public keys");
  return sequence(objectIdentifier(oid));
}

/** SubjectPublicKeyInfo (RFC 5280 §4.1). */
function publicKeyFrom(algorithm: Bytes, bits: Uint8Array): KeyObject {
  const der = sequence(algorithm, bitString(bits));
  return createPublicKey({ key: Buffer.from(der), format: "der", type: "spki" });
}

/** RFC 3279 §2.3.2 */
function dsaAlgorithm({ p, q, g }: TransparentKey): Bytes {
  const numbers = [p, q, g].map((number) => unsigned(positive(number)));
  return sequence(objectIdentifier("1.2.840.10040.4.1"), sequence(...numbers));
}

/** ECPrivateKey (RFC 5915 §3): first with the number alone, then with the public key that follows from it. */
function ecPrivateKey({ recommendedCurve, d }: TransparentKey): KeyObject {
  const { oid, length } = curveNamed(recommendedCurve);
  const number = Buffer.from(
    positive(d)
      .toString(16)
      .padStart(length * 2, "0"),
    "hex",
  );
  if (number.length !== length) throw new KmipError("InvalidField", "The number is longer than the curve's");
  const parts = [smallInteger(1), octetString(number), explicit(0, objectIdentifier(oid))];
  const parsed = (...all: Bytes[]) =>
    createPrivateKey({ key: Buffer.from(sequence(...all)), format: "der", type: "sec1" });
  const point = pointOf(createPublicKey(parsed(...parts)), length);
  return parsed(...parts, explicit(1, bitString(point)));
}

/** The uncompressed point, 0x04 || x || y (SEC 1 §2.3.3): the end of a SubjectPublicKeyInfo. */
function pointOf(key: KeyObject, length: number): Bytes {
  const point = new Uint8Array(key.export({ format: "der", type: "spki" }).subarray(-1 - 2 * length));
  if (point[0] !== 4) throw new KmipError("KeyFormatTypeNotSupported", "The point is compressed");
  return point;
}

/** The point as SEC 1 §2.3.3 has it, or the bytes of RFC 7748. OpenSSL checks that it is on the curve. */
function ecPublicKey({ recommendedCurve, qString }: TransparentKey): KeyObject {
  if (!qString) throw new KmipError("InvalidField", "The point is missing");
  if (recommendedCurve === "CURVE25519" || recommendedCurve === "CURVE448")
    return publicKeyFrom(rawAlgorithm(recommendedCurve), qString);
  const { oid, length } = curveNamed(recommendedCurve);
  const [form = 0] = qString;
  const size = form === 4 ? 1 + 2 * length : 1 + length;
  if (![2, 3, 4].includes(form) || qString.length !== size)
    throw new KmipError("InvalidField", "Not a point");
  return publicKeyFrom(sequence(objectIdentifier("1.2.840.10045.2.1"), objectIdentifier(oid)), qString);
}

function curveNamed(name: CurveName | undefined): Curve {
  const curve = name && CURVES[name];
  if (!curve) throw new KmipError("KeyFormatTypeNotSupported", "Not a supported curve");
  return curve;
}

/** The transparent form of a key. `format` names it. */
export function transparentOf(key: KeyObject, format: KeyBlock["keyFormatType"]): TransparentKey {
  if (!String(format).endsWith(key.type === "private" ? "PrivateKey" : "PublicKey"))
    throw new KmipError("KeyFormatTypeNotSupported", "The key has no such form");
  switch (format) {
    case "TransparentRSAPublicKey": {
      const { n, e } = key.export({ format: "jwk" });
      return { modulus: number(n), publicExponent: number(e) };
    }
    case "TransparentRSAPrivateKey": {
      const jwk: JsonWebKey = key.export({ format: "jwk" });
      return {
        modulus: number(jwk.n),
        privateExponent: number(jwk.d),
        publicExponent: number(jwk.e),
        p: number(jwk.p),
        q: number(jwk.q),
        primeExponentP: number(jwk.dp),
        primeExponentQ: number(jwk.dq),
        crtCoefficient: number(jwk.qi),
      };
    }
    case "TransparentECPublicKey":
    case "TransparentECDSAPublicKey":
    case "TransparentECDHPublicKey": {
      const { name, curve } = curveOf(key);
      return { recommendedCurve: name, qString: pointOf(key, curve.length) };
    }
    case "TransparentECPrivateKey":
    case "TransparentECDSAPrivateKey":
    case "TransparentECDHPrivateKey": {
      const { name, curve } = curveOf(key);
      const der = key.export({ format: "der", type: "sec1" });
      // Version 1, and the number in an octet string of the order's length (RFC 5915 §3).
      const start = der.indexOf(Buffer.of(2, 1, 1, 4, curve.scalar)) + 5;
      return {
        recommendedCurve: name,
        d: BigInt(`0x${der.subarray(start, start + curve.scalar).toString("hex")}`),
      };
    }
  }
  throw new KmipError("KeyFormatTypeNotSupported", "The key has no such form");
}

function curveOf({ asymmetricKeyDetails }: KeyObject): { name: CurveName; curve: Curve } {
  const name = curveOfOpenssl(asymmetricKeyDetails?.namedCurve);
  if (!name) throw new KmipError("KeyFormatTypeNotSupported", "Not a supported curve");
  return { name, curve: curveNamed(name) };
}

/** The number of a JSON Web Key. */
function number(text: string | undefined): bigint {
  return BigInt(`0x${Buffer.from(text ?? "AA", "base64url").toString("hex")}`);
}

function positive(value: bigint | undefined): bigint {
  if (value === undefined || value < 0n)
    throw new KmipError("InvalidField", "A number of the key is missing");
  return value;
}

function integer(value: bigint | undefined): string {
  const hex = positive(value).toString(16);
  return encodeBase64url(decodeHex(hex.length % 2 === 0 ? hex : `0${hex}`));
}

/** What a key says of itself: algorithm, length in bits, curve. */
export function describeKey(key: KeyObject): Attributes {
  const { modulusLength, namedCurve } = key.asymmetricKeyDetails ?? {};
  switch (key.asymmetricKeyType) {
    case "rsa":
    case "rsa-pss":
      return { cryptographicAlgorithm: "RSA", cryptographicLength: modulusLength };
    case "ec": {
      const curve = curveOfOpenssl(namedCurve);
      const bits = curve && CURVES[curve]?.bits;
      return {
        cryptographicAlgorithm: "EC",
        ...(bits ? { cryptographicLength: bits } : {}),
        ...(curve ? { cryptographicDomainParameters: { recommendedCurve: curve } } : {}),
      };
    }
    case "dsa":
      return { cryptographicAlgorithm: "DSA", cryptographicLength: modulusLength };
    case "ed25519":
      return { cryptographicAlgorithm: "Ed25519", cryptographicLength: 256 };
    case "ed448":
      return { cryptographicAlgorithm: "Ed448", cryptographicLength: 456 };
    case "x25519":
      return {
        cryptographicAlgorithm: "ECDH",
        cryptographicLength: 256,
        cryptographicDomainParameters: { recommendedCurve: "CURVE25519" },
      };
    case "x448":
      return {
        cryptographicAlgorithm: "ECDH",
        cryptographicLength: 448,
        cryptographicDomainParameters: { recommendedCurve: "CURVE448" },
      };
    case "ml-kem-768":
      return { cryptographicAlgorithm: ML_KEM_768, cryptographicLength: KEM_BITS };
    case "ml-dsa-65":
      // Of the public key, as FIPS 204 §4 has it.
      return { cryptographicAlgorithm: ML_DSA_65, cryptographicLength: ML_DSA_65_LENGTH * 8 };
    default:
      return {};
  }
}
