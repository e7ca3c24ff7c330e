import { constants, type KeyObject, privateDecrypt, publicEncrypt } from "node:crypto";
import { type CryptographicParameters, KmipError } from "#protocol/kmip/index.ts";

const HASHES: Readonly<Record<string, string>> = {
  SHA_1: "sha1",
  SHA_224: "sha224",
  SHA_256: "sha256",
  SHA_384: "sha384",
  SHA_512: "sha512",
};

/** RSAES-OAEP (RFC 8017 §7.1); one hash serves the label and MGF1. */
export function wrapOaep(key: KeyObject, parameters: CryptographicParameters, plain: Uint8Array): Uint8Array {
  try {
    return publicEncrypt({ key, ...oaep(parameters) }, plain);
  } catch (error) {
    throw failure(error);
  }
}

export function unwrapOaep(
  key: KeyObject,
  parameters: CryptographicParameters,
  wrapped: Uint8Array,
): Uint8Array {
  try {
    return privateDecrypt({ key, ...oaep(parameters) }, wrapped);
  } catch (error) {
    throw failure(error);
  }
}

function oaep({
  hashingAlgorithm = "SHA_1",
  maskGeneratorHashingAlgorithm,
  pSource,
}: CryptographicParameters) {
  const oaepHash = HASHES[String(hashingAlgorithm)];
  const same = (maskGeneratorHashingAlgorithm ?? hashingAlgorithm) === hashingAlgorithm;
  if (!oaepHash || !same)
    throw new KmipError("UnsupportedCryptographicParameters", "Not a supported form of OAEP");
  return {
    padding: constants.RSA_PKCS1_OAEP_PADDING,
    oaepHash,
    ...(pSource ? { oaepLabel: pSource } : {}),
  };
}

function failure(cause: unknown): KmipError {
  return cause instanceof KmipError ? cause : new KmipError("CryptographicFailure", "RSA-OAEP failed");
}
