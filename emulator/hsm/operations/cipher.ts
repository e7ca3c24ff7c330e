import { KmipError, type RequestPayload } from "#protocol/kmip/index.ts";
import { type Decryption, type Encryption, startDecryption, startEncryption } from "../crypto/cipher.ts";
import { Gathered } from "../crypto/gathered.ts";
import { decryptRsa, encryptRsa } from "../crypto/rsa-encryption.ts";
import { checkChannelEncryption } from "../policy/channel.ts";
import { classOf } from "../policy/classes.ts";
import { checkMessageCipher, checkOperating } from "../policy/data-operations.ts";
import { isRestricted } from "../policy/roles.ts";
import type { ManagedObject } from "../store/managed-object.ts";
import { privateKeyOf, publicKeyOf, secretBytes } from "../store/material.ts";
import type { Asker, Context } from "./context.ts";
import type { Handler } from "./handler.ts";
import { objectFor } from "./object-for.ts";
import type { Operation } from "./operation.ts";
import { parametersOf } from "./parameters.ts";
import { takePiece } from "./streaming.ts";
import { checkUsable, countUsage } from "./usage.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** Encrypt (KMIP 2.1 §6.1.17) */
const encrypt: Handler<"Encrypt"> = (request, context) => {
  const key = objectFor(context, request.uniqueIdentifier, "Encrypt", request);
  checkUsable(key, "Encrypt", context.now);
  if (isRestricted(context.subject.role)) checkDeploymentEncryption(key, request, context);
  countUsage(key, request.data?.length ?? 0, context);
  const begin = () => encryption(key, request, context);
  const { state, data, correlationValue } = takePiece("Encrypt", request, context, key, begin);
  const last = correlationValue ? undefined : state.final();
  const tag = correlationValue ? undefined : state.tag?.();
  const isFirst = request.correlationValue === undefined;
  if (tag && !hasTagField(context))
    return {
      uniqueIdentifier: key.uid,
      ...output(request, data, joined(last, tag)),
      ...(isFirst && state.iv ? { ivCounterNonce: state.iv } : {}),
    };
  return {
    uniqueIdentifier: key.uid,
    ...output(request, data, last),
    ...(isFirst && state.iv ? { ivCounterNonce: state.iv } : {}),
    ...(correlationValue ? { correlationValue } : {}),
    ...(tag ? { authenticatedEncryptionTag: tag } : {}),
  };
};

/** Decrypt (KMIP 2.1 §6.1.11) */
const decrypt: Handler<"Decrypt"> = (request, context) => {
  const key = objectFor(context, request.uniqueIdentifier, "Decrypt", request);
  checkUsable(key, "Decrypt", context.now);
  if (isRestricted(context.subject.role)) checkMessage(key, request, context);
  const begin = () => decryption(key, request);
  const tag = request.authenticatedEncryptionTag;
  const { state, data, correlationValue } = takePiece("Decrypt", request, context, key, begin, (started) => {
    if (tag) started.expectTag?.(tag);
    else if (!hasTagField(context)) started.expectTagAtEnd?.();
  });
  const last = correlationValue ? undefined : state.final();
  return {
    uniqueIdentifier: key.uid,
    ...output(request, data, last),
    ...(correlationValue ? { correlationValue } : {}),
  };
};

/** An identity of a deployment encrypts under a channel's key, or a message. */
function checkDeploymentEncryption(
  key: ManagedObject,
  request: RequestPayload<"Encrypt">,
  context: Context,
): void {
  if (classOf(key.attributes) === "message") checkMessage(key, request, context);
  else
    checkChannelEncryption(key, parametersOf(key, request.cryptographicParameters), request.ivCounterNonce);
}

/** In one piece, so that nothing goes on when it is not allowed any more. */
function checkMessage(key: ManagedObject, request: RequestPayload<"Encrypt">, context: Context): void {
  checkOperating(key, "message", context.work, context.now);
  checkMessageCipher(parametersOf(key, request.cryptographicParameters), request.ivCounterNonce);
  if (request.initIndicator || request.correlationValue !== undefined)
    throw new KmipError("PermissionDenied", "A message is not streamed");
}

/**
 * KMIP 1.2 and 1.3 have modes with a tag, and no field for it: it follows the ciphertext there, as RFC 5116 §5.1 has it,
 * and without a field of its own Decrypt finds it there.
 */
function hasTagField({ version: { major, minor } }: Asker): boolean {
  return major > 1 || minor >= 4;
}

function joined(last: Bytes | undefined, tag: Bytes): Bytes {
  return new Uint8Array(Buffer.concat([last ?? new Uint8Array(), tag]));
}

function encryption(key: ManagedObject, request: RequestPayload<"Encrypt">, context: Context): Encryption {
  const parameters = parametersOf(key, request.cryptographicParameters);
  if (key.objectType === "PublicKey") {
    const publicKey = publicKeyOf(key);
    return onWhole((data) => encryptRsa(publicKey, parameters, data));
  }
  const input = {
    algorithm: key.attributes.cryptographicAlgorithm,
    key: secretBytes(key),
    parameters,
    iv: request.ivCounterNonce,
    additionalData: request.authenticatedEncryptionAdditionalData,
  };
  return startEncryption(input, context.random);
}

function decryption(key: ManagedObject, request: RequestPayload<"Decrypt">): Decryption {
  const parameters = parametersOf(key, request.cryptographicParameters);
  if (key.objectType === "PrivateKey") {
    const privateKey = privateKeyOf(key);
    return onWhole((data) => decryptRsa(privateKey, parameters, data));
  }
  return startDecryption({
    algorithm: key.attributes.cryptographicAlgorithm,
    key: secretBytes(key),
    parameters,
    iv: request.ivCounterNonce,
    additionalData: request.authenticatedEncryptionAdditionalData,
  });
}

function onWhole(work: (data: Uint8Array) => Uint8Array): Encryption {
  const gathered = new Gathered();
  return {
    update: (data) => gathered.push(data),
    final: () => new Uint8Array(work(gathered.take())),
  };
}

/** Data where there is some; an operation that was not streamed always has it, though it be empty. */
function output(request: RequestPayload<"Decrypt">, data: Bytes, last: Bytes | undefined): { data?: Bytes } {
  const all = last ? new Uint8Array(Buffer.concat([data, last])) : data;
  const streamed = request.initIndicator || request.correlationValue !== undefined;
  return streamed && all.length === 0 ? {} : { data: all };
}

export const Encrypt: Operation<"Encrypt"> = {
  handler: encrypt,
  needsValue: true,
  unattested: false,
  deferrable: true,
  undoable: true,
  roles: ["kms"],
  ticket: "objects",
  policyName: "ENCRYPT",
  shared: false,
};

export const Decrypt: Operation<"Decrypt"> = {
  handler: decrypt,
  needsValue: true,
  unattested: false,
  deferrable: true,
  undoable: true,
  roles: ["kms"],
  ticket: "objects",
  policyName: "DECRYPT",
  shared: false,
};
