/** Pairs of asymmetric keys: which one is asked for, made, and stored as two objects. */
import crypto, { generateKeyPair, type KeyObject } from "node:crypto";
import { promisify } from "node:util";
import { type Attributes, KmipError } from "#protocol/kmip/index.ts";
import { ML_DSA_65, ML_DSA_65_LENGTH } from "#protocol/signatures.ts";
import { CURVES } from "../crypto/curves.ts";
import type { Context, Effort } from "./context.ts";
import { newIdentifier } from "./identifier.ts";
import { der } from "./key-format.ts";
import { putNew } from "./new-object.ts";

interface Pair {
  publicKey: KeyObject;
  privateKey: KeyObject;
}

const generate = promisify(generateKeyPair) as (type: string, options: object) => Promise<Pair>;

/** Lengths of RSA keys, and the units that a pair costs on average. */
const RSA_COSTS: Readonly<Record<number, number>> = {
  1024: 50_000,
  2048: 300_000,
  3072: 1_000_000,
  4096: 3_000_000,
};
const COST = 5000;

/** A new pair; others are served meanwhile. */
export function generatePair(
  type: string,
  options: { modulusLength?: number },
  { heavy }: Effort,
): Promise<Pair> {
  return heavy(RSA_COSTS[options.modulusLength ?? 0] ?? COST, () => generate(type, options));
}

/**
 * Stores a pair, linked to each other: RSA keys as PKCS#1, as the profiles have them (AKLC-M-1), others as PKCS#8 and
 * SubjectPublicKeyInfo. Get gives them in the other formats too.
 */
export function putPair(
  context: Context,
  pair: Pair,
  privateAttributes: Attributes,
  publicAttributes: Attributes,
) {
  const privateUid = newIdentifier(context);
  const publicUid = newIdentifier(context);
  const rsa = pair.privateKey.asymmetricKeyType === "rsa";
  const block = (keyFormatType: "PKCS_1" | "PKCS_8" | "X_509", keyMaterial: Uint8Array<ArrayBuffer>) => ({
    keyBlock: {
      keyFormatType,
      keyValue: { keyMaterial },
      cryptographicAlgorithm: privateAttributes.cryptographicAlgorithm,
      cryptographicLength: privateAttributes.cryptographicLength,
    },
  });
  const privateKey = rsa
    ? block("PKCS_1", der(pair.privateKey, "pkcs1"))
    : block("PKCS_8", der(pair.privateKey, "pkcs8"));
  const publicKey = rsa
    ? block("PKCS_1", der(pair.publicKey, "pkcs1"))
    : block("X_509", der(pair.publicKey, "spki"));
  const linked = (attributes: Attributes, linkType: "PublicKeyLink" | "PrivateKeyLink", uid: string) => [
    ...(attributes.link ?? []),
    { linkType, linkedObjectIdentifier: uid },
  ];
  putNew(context, {
    uid: privateUid,
    objectType: "PrivateKey",
    made: true,
    attributes: {
      ...privateAttributes,
      keyFormatType: privateKey.keyBlock.keyFormatType,
      link: linked(privateAttributes, "PublicKeyLink", publicUid),
    },
    value: { privateKey },
  });
  putNew(context, {
    uid: publicUid,
    objectType: "PublicKey",
    made: true,
    attributes: {
      ...publicAttributes,
      keyFormatType: publicKey.keyBlock.keyFormatType,
      link: linked(publicAttributes, "PrivateKeyLink", privateUid),
    },
    value: { publicKey },
  });
  return { privateKeyUniqueIdentifier: privateUid, publicKeyUniqueIdentifier: publicUid };
}

/** Attributes of one half: its own, and the common ones that it does not have itself. */
export function mergedAttributes(common: Attributes, own: Attributes = {}): Attributes {
  const vendorAttributes = [...(common.vendorAttributes ?? []), ...(own.vendorAttributes ?? [])];
  return { ...common, ...own, ...(vendorAttributes.length > 0 ? { vendorAttributes } : {}) };
}

/** The pair that both halves ask for; they must not ask for different ones. */
export function kindOf(privateAttributes: Attributes, publicAttributes: Attributes) {
  const algorithm = agreed(privateAttributes.cryptographicAlgorithm, publicAttributes.cryptographicAlgorithm);
  const length = agreed(privateAttributes.cryptographicLength, publicAttributes.cryptographicLength);
  const asked = agreed(
    privateAttributes.cryptographicDomainParameters?.recommendedCurve,
    publicAttributes.cryptographicDomainParameters?.recommendedCurve,
  );
  switch (algorithm) {
    case "RSA": {
      const modulusLength = length ?? 2048;
      if (!Object.hasOwn(RSA_COSTS, modulusLength))
        throw new KmipError("InvalidField", "Not a length of RSA keys");
      const described: Attributes = { cryptographicLength: modulusLength };
      return { type: "rsa", options: { modulusLength, publicExponent: 65537 }, described };
    }
    case "EC":
    case "ECDSA":
    case "ECDH": {
      if (asked === "CURVE25519" && algorithm !== "ECDSA")
        return { type: "x25519", options: {}, described: { cryptographicLength: 256 } };
      if (asked === "CURVE448" && algorithm !== "ECDSA")
        return { type: "x448", options: {}, described: { cryptographicLength: 448 } };
      const recommendedCurve = asked ?? CURVE_BY_LENGTH[length ?? 256];
      const curve = recommendedCurve && CURVES[recommendedCurve];
      if (!curve || (length !== undefined && length !== curve.bits))
        throw new KmipError("InvalidField", "Not a curve for keys made here");
      const described: Attributes = {
        cryptographicLength: curve.bits,
        cryptographicDomainParameters: { recommendedCurve },
      };
      return { type: "ec", options: { namedCurve: curve.openssl }, described };
    }
    case "Ed25519":
      return { type: "ed25519", options: {}, described: { cryptographicLength: 256 } };
    case "Ed448":
      return { type: "ed448", options: {}, described: { cryptographicLength: 456 } };
    case ML_DSA_65:
      // An older Node has neither this nor ML-KEM.
      if (typeof crypto.encapsulate !== "function")
        throw new KmipError("FeatureNotSupported", "This Node has no ML-DSA: it needs 24.7 or later");
      return { type: "ml-dsa-65", options: {}, described: { cryptographicLength: ML_DSA_65_LENGTH * 8 } };
    case undefined:
      throw new KmipError("MissingData", "Cryptographic Algorithm is missing");
    default:
      throw new KmipError("InvalidField", "Not an algorithm of key pairs made here");
  }
}

const CURVE_BY_LENGTH: Readonly<Record<number, keyof typeof CURVES>> = {
  256: "P_256",
  384: "P_384",
  521: "P_521",
};

function agreed<T>(a: T | undefined, b: T | undefined): T | undefined {
  if (a !== undefined && b !== undefined && a !== b)
    throw new KmipError("InvalidAttributeValue", "The halves of a pair ask for different keys");
  return a ?? b;
}
