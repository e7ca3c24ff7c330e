import {
  constants,
  createHash,
  type KeyObject,
  privateEncrypt,
  publicDecrypt,
  sign,
  verify,
} from "node:crypto";
import { equalConstantTime } from "#protocol/bytes.ts";
import { type CryptographicParameters, KmipError } from "#protocol/kmip/index.ts";
import { HASHES } from "./mac.ts";

/** RSA PKCS#1 v1.5 and PSS (RFC 8017), ECDSA (FIPS 186-5; DER), EdDSA (RFC 8032), chosen by KMIP parameters. */

/** Hash of a Digital Signature Algorithm: `SHA_256WithRSAEncryption`, `ECDSAWithSHA256`, `SHA3_256WithRSAEncryption`. */
function hashOfAlgorithm(algorithm: string): string | undefined {
  const [, ecdsa] = /^ECDSAWithSHA_?(\d+)$/.exec(algorithm) ?? [];
  if (ecdsa) return HASHES[`SHA_${ecdsa}`];
  const [, rsa] = /^(MD5|SHA_\d+|SHA3_\d+)WithRSAEncryption/.exec(algorithm) ?? [];
  return rsa ? HASHES[rsa] : undefined;
}

interface Scheme {
  hash: string;
  options: { padding?: number; saltLength?: number; dsaEncoding?: "der" };
}

function scheme(key: KeyObject, parameters: CryptographicParameters): Scheme {
  const algorithm = String(parameters.digitalSignatureAlgorithm ?? "");
  const hash = hashOfAlgorithm(algorithm) ?? HASHES[String(parameters.hashingAlgorithm ?? "SHA_256")];
  if (!hash) throw unsupported();
  switch (key.asymmetricKeyType) {
    case "ec":
      if (algorithm !== "" && !algorithm.startsWith("ECDSA")) throw unsupported();
      return { hash, options: { dsaEncoding: "der" } };
    case "ed25519":
    case "ed448":
      return { hash, options: {} };
    case "rsa": {
      if (algorithm.startsWith("ECDSA") || algorithm.startsWith("DSA")) throw unsupported();
      const pss = parameters.paddingMethod === "PSS" || algorithm.startsWith("RSASSA_PSS");
      if (!pss) return { hash, options: { padding: constants.RSA_PKCS1_PADDING } };
      const mask = parameters.maskGeneratorHashingAlgorithm;
      if (mask !== undefined && HASHES[String(mask)] !== hash) throw unsupported();
      const saltLength = parameters.saltLength ?? constants.RSA_PSS_SALTLEN_DIGEST;
      return { hash, options: { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength } };
    }
  }
  throw unsupported();
}

export function signMessage(
  key: KeyObject,
  parameters: CryptographicParameters,
  data: Uint8Array,
): Uint8Array {
  const { hash, options } = scheme(key, parameters);
  return guarded(() => sign(isEdwards(key) ? null : hash, data, { key, ...options }));
}

export function verifyMessage(
  key: KeyObject,
  parameters: CryptographicParameters,
  data: Uint8Array,
  signature: Uint8Array,
): boolean {
  const { hash, options } = scheme(key, parameters);
  return guarded(() => verify(isEdwards(key) ? null : hash, data, { key, ...options }, signature));
}

/** Signs a digest that the client made. RSA PKCS#1 v1.5 only: node:crypto has no other signature over digests. */
export function signDigest(
  key: KeyObject,
  parameters: CryptographicParameters,
  digest: Uint8Array,
): Uint8Array {
  const info = digestInfo(key, parameters, digest);
  return guarded(() => privateEncrypt({ key, padding: constants.RSA_PKCS1_PADDING }, info));
}

export function verifyDigest(
  key: KeyObject,
  parameters: CryptographicParameters,
  digest: Uint8Array,
  signature: Uint8Array,
): boolean {
  const info = digestInfo(key, parameters, digest);
  try {
    return equalConstantTime(publicDecrypt({ key, padding: constants.RSA_PKCS1_PADDING }, signature), info);
  } catch {
    return false;
  }
}

/** DER prefixes of DigestInfo (RFC 8017 §9.2, note 1). */
const DIGEST_INFO: Readonly<Record<string, string>> = {
  sha1: "3021300906052b0e03021a05000414",
  sha224: "302d300d06096086480165030402040500041c",
  sha256: "3031300d060960864801650304020105000420",
  sha384: "3041300d060960864801650304020205000430",
  sha512: "3051300d060960864801650304020305000440",
};

function digestInfo(key: KeyObject, parameters: CryptographicParameters, digest: Uint8Array): Uint8Array {
  const { hash, options } = scheme(key, parameters);
  const prefix = DIGEST_INFO[hash];
  if (options.padding !== constants.RSA_PKCS1_PADDING || !prefix) throw unsupported();
  if (digest.length !== createHash(hash).digest().length)
    throw new KmipError("InvalidField", "The digest has another length");
  return Buffer.concat([Buffer.from(prefix, "hex"), digest]);
}

function isEdwards(key: KeyObject): boolean {
  return key.asymmetricKeyType === "ed25519" || key.asymmetricKeyType === "ed448";
}

function guarded<T>(make: () => T): T {
  try {
    return make();
  } catch {
    throw new KmipError("CryptographicFailure", "The signature could not be made or read");
  }
}

function unsupported(): KmipError {
  return new KmipError("UnsupportedCryptographicParameters", "The key does not sign that way");
}
