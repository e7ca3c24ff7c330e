import { constants, type KeyObject, privateDecrypt, publicEncrypt } from "node:crypto";
import { type CryptographicParameters, KmipError } from "#protocol/kmip/index.ts";
import { modulusBytes, unwrapOaep, wrapOaep } from "./rsa-oaep.ts";

/** RSA encryption by OAEP, or by PKCS#1 v1.5 where it is asked for (RFC 8017 §7). */
export function encryptRsa(
  key: KeyObject,
  parameters: CryptographicParameters,
  plain: Uint8Array,
): Uint8Array {
  if (parameters.paddingMethod === "OAEP") return wrapOaep(key, parameters, plain);
  checkPkcs1(key, parameters);
  return guarded(() => publicEncrypt({ key, padding: constants.RSA_PKCS1_PADDING }, plain));
}

/** OpenSSL rejects implicitly: a wrong PKCS#1 padding gives random bytes, not an error that a client could measure. */
export function decryptRsa(
  key: KeyObject,
  parameters: CryptographicParameters,
  wrapped: Uint8Array,
): Uint8Array {
  // RFC 8017 §7.1.2 and §7.2.2, step 1: OpenSSL would take the same number in fewer bytes.
  if (key.asymmetricKeyType === "rsa" && wrapped.length !== modulusBytes(key))
    throw new KmipError("CryptographicFailure", "The data cannot be processed");
  if (parameters.paddingMethod === "OAEP") return unwrapOaep(key, parameters, wrapped);
  checkPkcs1(key, parameters);
  return guarded(() => privateDecrypt({ key, padding: constants.RSA_PKCS1_PADDING }, wrapped));
}

function checkPkcs1(key: KeyObject, { paddingMethod }: CryptographicParameters): void {
  if (key.asymmetricKeyType !== "rsa" || paddingMethod !== "PKCS1V1_5")
    throw new KmipError("UnsupportedCryptographicParameters", "Not a supported padding of RSA");
}

function guarded<T>(work: () => T): T {
  try {
    return work();
  } catch {
    throw new KmipError("CryptographicFailure", "The data cannot be processed");
  }
}
