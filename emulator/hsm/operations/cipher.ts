import { KmipError } from "#protocol/kmip/index.ts";
import { decryptAes, encryptAes } from "../crypto/cipher.ts";
import { unwrapOaep, wrapOaep } from "../crypto/rsa-oaep.ts";
import { privateKeyOf, publicKeyOf, secretBytes } from "../material.ts";
import { type Handler, objectFor } from "./handler.ts";
import { parametersOf, refuseStreaming } from "./sign.ts";
import { checkUsable } from "./usage.ts";

/** Encrypt (KMIP 2.1 §6.1.16) */
export const encrypt: Handler<"Encrypt"> = (request, context) => {
  refuseStreaming(request);
  const key = objectFor(context, request.uniqueIdentifier, "Encrypt");
  checkUsable(key, "Encrypt", context.now);
  const parameters = parametersOf(key, request.cryptographicParameters);
  const data = request.data ?? new Uint8Array();
  if (key.objectType === "PublicKey") {
    if (parameters.paddingMethod !== "OAEP")
      throw new KmipError("UnsupportedCryptographicParameters", "OAEP only");
    return { uniqueIdentifier: key.uid, data: new Uint8Array(wrapOaep(publicKeyOf(key), parameters, data)) };
  }
  const { ciphertext, iv, tag } = encryptAes(secretBytes(key), parameters, data, {
    iv: request.ivCounterNonce,
    additionalData: request.authenticatedEncryptionAdditionalData,
    random: context.random,
  });
  return {
    uniqueIdentifier: key.uid,
    data: ciphertext,
    ...(iv ? { ivCounterNonce: iv } : {}),
    ...(tag ? { authenticatedEncryptionTag: tag } : {}),
  };
};

/** Decrypt (KMIP 2.1 §6.1.11) */
export const decrypt: Handler<"Decrypt"> = (request, context) => {
  refuseStreaming(request);
  const key = objectFor(context, request.uniqueIdentifier, "Decrypt");
  checkUsable(key, "Decrypt", context.now);
  const parameters = parametersOf(key, request.cryptographicParameters);
  const data = request.data ?? new Uint8Array();
  if (key.objectType === "PrivateKey") {
    if (parameters.paddingMethod !== "OAEP")
      throw new KmipError("UnsupportedCryptographicParameters", "OAEP only");
    return {
      uniqueIdentifier: key.uid,
      data: new Uint8Array(unwrapOaep(privateKeyOf(key), parameters, data)),
    };
  }
  const plain = decryptAes(secretBytes(key), parameters, data, {
    iv: request.ivCounterNonce,
    additionalData: request.authenticatedEncryptionAdditionalData,
    tag: request.authenticatedEncryptionTag,
  });
  return { uniqueIdentifier: key.uid, data: plain };
};
