import type { JsonWebKey, KeyObject } from "node:crypto";
import { encodeBase64url } from "#protocol/base64url.ts";
import { decodeHex } from "#protocol/bytes.ts";
import { type Attributes, type KeyBlock, KmipError, type TransparentKey } from "#protocol/kmip/index.ts";

/** Transparent keys (KMIP 2.1 §3.5) to JSON Web Keys and back: the form in which node:crypto takes numbers. */

type Curve = NonNullable<TransparentKey["recommendedCurve"]>;

/** Curves by KMIP name: the JWK name, the name in OpenSSL and the bytes of a coordinate. */
export const CURVES: Partial<Record<Curve, { jwk: string; openssl: string; length: number; bits: number }>> =
  {
    P_256: { jwk: "P-256", openssl: "prime256v1", length: 32, bits: 256 },
    P_384: { jwk: "P-384", openssl: "secp384r1", length: 48, bits: 384 },
    P_521: { jwk: "P-521", openssl: "secp521r1", length: 66, bits: 521 },
    SECP256K1: { jwk: "secp256k1", openssl: "secp256k1", length: 32, bits: 256 },
  };

export function curveOfOpenssl(name: string | undefined): Curve | undefined {
  const found = Object.entries(CURVES).find(([, curve]) => curve?.openssl === name);
  return found?.[0] as Curve | undefined;
}

export function privateJwk(block: KeyBlock, key: TransparentKey): JsonWebKey {
  switch (block.keyFormatType) {
    case "TransparentRSAPrivateKey":
      return {
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
    case "TransparentECPrivateKey":
    case "TransparentECDSAPrivateKey":
    case "TransparentECDHPrivateKey":
      throw new KmipError("KeyFormatTypeNotSupported", "Register EC private keys as PKCS#8 or ECPrivateKey");
  }
  throw new KmipError("KeyFormatTypeNotSupported", "Not a supported form of private keys");
}

export function publicJwk(block: KeyBlock, key: TransparentKey): JsonWebKey {
  switch (block.keyFormatType) {
    case "TransparentRSAPublicKey":
      return { kty: "RSA", n: integer(key.modulus), e: integer(key.publicExponent) };
    case "TransparentECPublicKey":
    case "TransparentECDSAPublicKey":
    case "TransparentECDHPublicKey":
      return { kty: "EC", ...point(key) };
  }
  throw new KmipError("KeyFormatTypeNotSupported", "Not a supported form of public keys");
}

/** The transparent form of a key. `format` names it. */
export function transparentOf(key: KeyObject, format: KeyBlock["keyFormatType"]): TransparentKey {
  const jwk = key.export({ format: "jwk" });
  const number = (text: string | undefined) =>
    BigInt(`0x${Buffer.from(text ?? "AA", "base64url").toString("hex")}`);
  switch (format) {
    case "TransparentRSAPublicKey":
      return { modulus: number(jwk.n), publicExponent: number(jwk.e) };
    case "TransparentRSAPrivateKey":
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
    case "TransparentECPublicKey":
    case "TransparentECDSAPublicKey":
    case "TransparentECDHPublicKey":
      return { recommendedCurve: curveOfJwk(jwk), qString: uncompressed(jwk) };
    case "TransparentECPrivateKey":
    case "TransparentECDSAPrivateKey":
    case "TransparentECDHPrivateKey":
      return { recommendedCurve: curveOfJwk(jwk), d: number(jwk.d) };
  }
  throw new KmipError("KeyFormatTypeNotSupported", "The key has no such form");
}

function curveOfJwk({ crv }: JsonWebKey): Curve {
  for (const [name, curve] of Object.entries(CURVES)) if (curve?.jwk === crv) return name as Curve;
  throw new KmipError("KeyFormatTypeNotSupported", "Not a supported curve");
}

/** SEC 1 §2.3.3: 0x04 || x || y. */
function uncompressed({ x = "", y = "" }: JsonWebKey): Uint8Array<ArrayBuffer> {
  return new Uint8Array(
    Buffer.concat([Buffer.of(4), Buffer.from(x, "base64url"), Buffer.from(y, "base64url")]),
  );
}

function point({ recommendedCurve, qString }: TransparentKey) {
  const curve = recommendedCurve && CURVES[recommendedCurve];
  if (!curve || !qString) throw new KmipError("KeyFormatTypeNotSupported", "Not a supported curve");
  if (qString[0] !== 4 || qString.length !== 1 + 2 * curve.length)
    throw new KmipError("InvalidField", "Not an uncompressed point");
  return {
    crv: curve.jwk,
    x: encodeBase64url(qString.subarray(1, 1 + curve.length)),
    y: encodeBase64url(qString.subarray(1 + curve.length)),
  };
}

function integer(value: bigint | undefined): string {
  if (value === undefined || value < 0n)
    throw new KmipError("InvalidField", "A number of the key is missing");
  const hex = value.toString(16);
  return encodeBase64url(decodeHex(hex.length % 2 === 0 ? hex : `0${hex}`));
}

/** What a key says of itself: algorithm, length in bits, curve. */
export function describeKey(key: KeyObject): Attributes {
  const { modulusLength, namedCurve } = key.asymmetricKeyDetails ?? {};
  switch (key.asymmetricKeyType) {
    case "rsa":
    case "rsa-pss":
      return { cryptographicAlgorithm: "RSA", cryptographicLength: modulusLength! };
    case "ec": {
      const curve = curveOfOpenssl(namedCurve);
      const bits = curve && CURVES[curve]?.bits;
      return {
        cryptographicAlgorithm: "EC",
        ...(bits ? { cryptographicLength: bits } : {}),
        ...(curve ? { cryptographicDomainParameters: { recommendedCurve: curve } } : {}),
      };
    }
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
    default:
      return {};
  }
}
