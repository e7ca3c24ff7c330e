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
import { signEcdsaDigest, verifyEcdsaDigest } from "./ecdsa-digest.ts";
import { Gathered } from "./gathered.ts";
import { hashNamed } from "./mac.ts";
import { ANY_SALT, type PssScheme, signPss, verifyPss } from "./rsa-pss.ts";
import type { Transform } from "./transform.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/**
 * RSA PKCS#1 v1.5 and PSS (RFC 8017), ECDSA and DSA (FIPS 186-4; DER), EdDSA (RFC 8032), ML-DSA (FIPS 204, without a context), chosen by KMIP parameters.
 * Verification takes one encoding of a signature only: DER without liberties, numbers below the order, whole lengths.
 */

/** Hash of a Digital Signature Algorithm: `SHA_256WithRSAEncryption`, `ECDSAWithSHA256`, `SHA3_256WithRSAEncryption`. */
function hashOfAlgorithm(algorithm: string): string | undefined {
  const [, dsa] = /^(?:EC)?DSAWithSHA_?(\d+)$/.exec(algorithm) ?? [];
  if (dsa) return hashNamed(`SHA_${dsa}`);
  const [, rsa] = /^(MD5|SHA_\d+|SHA3_\d+)WithRSAEncryption/.exec(algorithm) ?? [];
  return rsa && hashNamed(rsa);
}

interface Scheme {
  hash: string;
  options: { padding?: number; saltLength?: number; dsaEncoding?: "der" };
  /** PSS whose mask has a hash of its own. */
  pss?: PssScheme;
}

/** `salt`: the length of it for PSS where neither the parameters nor the key say one; otherwise that of the digest. */
function scheme(key: KeyObject, parameters: CryptographicParameters, salt?: number): Scheme {
  const algorithm = String(parameters.digitalSignatureAlgorithm ?? "");
  const details = key.asymmetricKeyDetails ?? {};
  const asked = hashOfAlgorithm(algorithm) ?? hashNamed(parameters.hashingAlgorithm ?? "SHA_256");
  if (!asked) throw unsupported();
  switch (key.asymmetricKeyType) {
    case "ec":
      if (algorithm !== "" && !algorithm.startsWith("ECDSA")) throw unsupported();
      // A curve without a name is one that its owner chose, generator and all.
      if (!details.namedCurve) throw unsupported();
      return { hash: asked, options: { dsaEncoding: "der" } };
    case "dsa":
      if (algorithm !== "" && !algorithm.startsWith("DSA")) throw unsupported();
      return { hash: asked, options: { dsaEncoding: "der" } };
    case "ed25519":
    case "ed448":
    case "ml-dsa-65":
      return { hash: asked, options: {} };
    case "rsa":
    case "rsa-pss":
      return rsaScheme(key, parameters, asked, salt);
  }
  throw unsupported();
}

function rsaScheme(
  key: KeyObject,
  parameters: CryptographicParameters,
  asked: string,
  salt: number | undefined,
): Scheme {
  const algorithm = String(parameters.digitalSignatureAlgorithm ?? "");
  const details = key.asymmetricKeyDetails ?? {};
  const bound = key.asymmetricKeyType === "rsa-pss";
  if (algorithm.includes("DSA")) throw unsupported();
  if (parameters.paddingMethod !== "PSS" && !algorithm.startsWith("RSASSA_PSS") && !bound)
    return { hash: asked, options: { padding: constants.RSA_PKCS1_PADDING } };
  // A key for PSS alone may say with which hashes (RFC 4055 §3.1): OpenSSL holds it to them.
  const named = parameters.hashingAlgorithm !== undefined || hashOfAlgorithm(algorithm) !== undefined;
  const hash = named ? asked : (details.hashAlgorithm ?? asked);
  const mask = parameters.maskGeneratorHashingAlgorithm;
  const maskHash = (mask === undefined ? details.mgf1HashAlgorithm : hashNamed(mask)) ?? hash;
  if (mask !== undefined && !hashNamed(mask)) throw unsupported();
  const said = parameters.saltLength;
  if (said !== undefined && said < 0) throw new KmipError("InvalidField", "Not a length of salt");
  const saltLength = said ?? details.saltLength ?? salt ?? createHash(hash).digest().length;
  const options = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength };
  if (bound && maskHash !== (details.mgf1HashAlgorithm ?? hash)) throw unsupported();
  return { hash, options, ...(bound ? {} : { pss: { hash, maskHash, saltLength } }) };
}

/** Begins a signature over a message that comes in pieces. */
export function startSignature(key: KeyObject, parameters: CryptographicParameters): Transform<Bytes> {
  const { hash, options, pss } = scheme(key, parameters);
  if (isUndigested(key)) return onWhole((data) => new Uint8Array(guarded(() => sign(null, data, key))));
  if (pss && pss.maskHash !== hash)
    return digesting(hash, (digest) => new Uint8Array(guarded(() => signPss(key, pss, digest))));
  const signer = createSign(hash);
  return {
    update: (data) => nothing(() => signer.update(data)),
    final: () => guarded(() => new Uint8Array(signer.sign({ key, ...options }))),
  };
}

/**
 * Begins the verification of a message that comes in pieces; the end says whether the signature is of it. A salt of
 * which nothing says the length may have any (CS-AC-M-2 has as many bytes of it as there is room for).
 */
export function startVerification(
  key: KeyObject,
  parameters: CryptographicParameters,
): Transform<(signature: Uint8Array) => boolean> {
  const { hash, options, pss } = scheme(key, parameters, ANY_SALT);
  if (isUndigested(key))
    return onWhole((data) => (signature) => isValid(() => verify(null, data, key, signature)));
  if (pss && pss.maskHash !== hash)
    return digesting(hash, (digest) => (signature) => isValid(() => verifyPss(key, pss, digest, signature)));
  const verifier = createVerify(hash);
  return {
    update: (data) => nothing(() => verifier.update(data)),
    final: () => (signature) => isValid(() => verifier.verify({ key, ...options }, signature)),
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

function digesting<T>(hash: string, work: (digest: Uint8Array) => T): Transform<T> {
  const hashing = createHash(hash);
  return {
    update: (data) => nothing(() => hashing.update(data)),
    final: () => work(hashing.digest()),
  };
}

/** Signs a digest that the client made, by RSA or ECDSA. */
function signDigest(key: KeyObject, parameters: CryptographicParameters, digest: Uint8Array): Uint8Array {
  if (key.asymmetricKeyType === "ec") {
    if (!isEcdsaDigest(key, parameters, digest)) throw unsupported();
    return signEcdsaDigest(key, digest);
  }
  const pss = pssOfDigest(key, parameters, digest);
  if (pss) return guarded(() => signPss(key, pss, digest));
  const info = signedDigest(key, parameters, digest);
  return guarded(() => privateEncrypt({ key, padding: constants.RSA_PKCS1_PADDING }, info));
}

function verifyDigest(
  key: KeyObject,
  parameters: CryptographicParameters,
  digest: Uint8Array,
  signature: Uint8Array,
): boolean {
  // A signature of another kind is none of this key (TC-ECDSA-SIGN-DIGESTEDDATA-1).
  if (key.asymmetricKeyType === "ec")
    return isEcdsaDigest(key, parameters, digest) && verifyEcdsaDigest(key, digest, signature);
  const pss = pssOfDigest(key, parameters, digest, ANY_SALT);
  if (pss) return isValid(() => verifyPss(key, pss, digest, signature));
  const info = signedDigest(key, parameters, digest);
  try {
    return equalConstantTime(publicDecrypt({ key, padding: constants.RSA_PKCS1_PADDING }, signature), info);
  } catch {
    return false;
  }
}

/** Whether the parameters are for ECDSA, and the digest by the hash that they name, if they name one. */
function isEcdsaDigest(key: KeyObject, parameters: CryptographicParameters, digest: Uint8Array): boolean {
  const { cryptographicAlgorithm, paddingMethod, digitalSignatureAlgorithm, hashingAlgorithm } = parameters;
  if (paddingMethod !== undefined || !["EC", "ECDSA", undefined].includes(cryptographicAlgorithm as string))
    return false;
  const { hash } = scheme(key, parameters);
  const named = (digitalSignatureAlgorithm ?? hashingAlgorithm) !== undefined;
  return named ? digest.length === createHash(hash).digest().length : digest.length > 0;
}

function pssOfDigest(
  key: KeyObject,
  parameters: CryptographicParameters,
  digest: Uint8Array,
  salt?: number,
): PssScheme | undefined {
  if (key.asymmetricKeyType !== "rsa") return undefined;
  const { hash, pss } = scheme(key, parameters, salt);
  if (pss && digest.length !== createHash(hash).digest().length)
    throw new KmipError("InvalidField", "The digest has another length");
  return pss;
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

/** Whether the algorithm takes the message itself, by a digest of its own. */
function isUndigested({ asymmetricKeyType: type }: KeyObject): boolean {
  return type === "ed25519" || type === "ed448" || type === "ml-dsa-65";
}

/** What cannot even be read is no signature. */
function isValid(verified: () => boolean): boolean {
  try {
    return verified();
  } catch {
    return false;
  }
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
