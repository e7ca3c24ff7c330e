import {
  constants,
  createHash,
  createSign,
  createVerify,
  type KeyObject,
  privateEncrypt,
  publicDecrypt,
  sign,
  verify,
} from "node:crypto";
import { equalConstantTime } from "#protocol/bytes.ts";
import { type CryptographicParameters, KmipError } from "#protocol/kmip/index.ts";
import { Gathered } from "./gathered.ts";
import { HASHES } from "./mac.ts";
import type { Transform } from "./transform.ts";

type Bytes = Uint8Array<ArrayBuffer>;

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

/** Begins a signature over a message that comes in pieces. */
export function startSignature(key: KeyObject, parameters: CryptographicParameters): Transform<Bytes> {
  const { hash, options } = scheme(key, parameters);
  if (isEdwards(key)) return onWhole((data) => new Uint8Array(guarded(() => sign(null, data, key))));
  const signer = createSign(hash);
  return {
    update: (data) => nothing(() => signer.update(data)),
    final: () => guarded(() => new Uint8Array(signer.sign({ key, ...options }))),
  };
}

/** Begins the verification of a message that comes in pieces; the end says whether the signature is of it. */
export function startVerification(
  key: KeyObject,
  parameters: CryptographicParameters,
): Transform<(signature: Uint8Array) => boolean> {
  const { hash, options } = scheme(key, parameters);
  if (isEdwards(key))
    return onWhole((data) => (signature: Uint8Array) => guarded(() => verify(null, data, key, signature)));
  const verifier = createVerify(hash);
  return {
    update: (data) => nothing(() => verifier.update(data)),
    final: () => (signature) => guarded(() => verifier.verify({ key, ...options }, signature)),
  };
}

/** Begins with a digest that the client made: the end signs it. */
export function startDigestSignature(key: KeyObject, parameters: CryptographicParameters): Transform<Bytes> {
  return onWhole((digest) => new Uint8Array(signDigest(key, parameters, digest)));
}

export function startDigestVerification(
  key: KeyObject,
  parameters: CryptographicParameters,
): Transform<(signature: Uint8Array) => boolean> {
  return onWhole((digest) => (signature: Uint8Array) => verifyDigest(key, parameters, digest, signature));
}

function onWhole<T>(work: (data: Uint8Array) => T): Transform<T> {
  const gathered = new Gathered();
  return { update: (data) => gathered.push(data), final: () => work(gathered.take()) };
}

function nothing(work: () => void): Bytes {
  work();
  return new Uint8Array();
}

/** Signs a digest that the client made. RSA PKCS#1 v1.5 only: node:crypto has no other signature over digests. */
function signDigest(key: KeyObject, parameters: CryptographicParameters, digest: Uint8Array): Uint8Array {
  const info = signedDigest(key, parameters, digest);
  return guarded(() => privateEncrypt({ key, padding: constants.RSA_PKCS1_PADDING }, info));
}

function verifyDigest(
  key: KeyObject,
  parameters: CryptographicParameters,
  digest: Uint8Array,
  signature: Uint8Array,
): boolean {
  const info = signedDigest(key, parameters, digest);
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

/** What is padded: DigestInfo where the parameters name a hash, else what the client sent (TC-RSA-SIGN-DIGESTEDDATA). */
function signedDigest(key: KeyObject, parameters: CryptographicParameters, digest: Uint8Array): Uint8Array {
  const named = parameters.hashingAlgorithm ?? parameters.digitalSignatureAlgorithm;
  if (named !== undefined) return digestInfo(key, parameters, digest);
  if (key.asymmetricKeyType !== "rsa" || (parameters.paddingMethod ?? "PKCS1V1_5") !== "PKCS1V1_5")
    throw unsupported();
  return digest;
}

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
