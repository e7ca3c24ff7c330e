import { KmipError } from "#protocol/kmip/index.ts";
import { signDigest, signMessage, verifyDigest, verifyMessage } from "../crypto/signature.ts";
import type { ManagedObject } from "../managed-object.ts";
import { privateKeyOf, publicKeyOf } from "../material.ts";
import { type Handler, objectFor } from "./handler.ts";
import { checkUsable } from "./usage.ts";

/** Sign (KMIP 2.1 §6.1.52): ECDSA signatures are DER, as the specification's profiles have them. */
export const sign: Handler<"Sign"> = (request, context) => {
  refuseStreaming(request);
  const key = objectFor(context, request.uniqueIdentifier, "Sign");
  checkUsable(key, "Sign", context.now);
  const parameters = parametersOf(key, request.cryptographicParameters);
  const { data, digestedData } = request;
  if ((data === undefined) === (digestedData === undefined))
    throw new KmipError("InvalidField", "Either data or digested data");
  const signatureData = data
    ? signMessage(privateKeyOf(key), parameters, data)
    : signDigest(privateKeyOf(key), parameters, digestedData!);
  return { uniqueIdentifier: key.uid, signatureData: new Uint8Array(signatureData) };
};

/** Signature Verify (KMIP 2.1 §6.1.53) */
export const signatureVerify: Handler<"SignatureVerify"> = (request, context) => {
  refuseStreaming(request);
  const key = objectFor(context, request.uniqueIdentifier, "SignatureVerify");
  checkUsable(key, "Verify", context.now);
  const parameters = parametersOf(key, request.cryptographicParameters);
  const { data, digestedData, signatureData } = request;
  if ((data === undefined) === (digestedData === undefined) || signatureData === undefined)
    throw new KmipError("InvalidField", "Data or digested data, and a signature");
  const valid = data
    ? verifyMessage(publicKeyOf(key), parameters, data, signatureData)
    : verifyDigest(publicKeyOf(key), parameters, digestedData!, signatureData);
  return { uniqueIdentifier: key.uid, validityIndicator: valid ? "Valid" : "Invalid" };
};

/** The request's parameters, or those of the key where the request has none. */
export function parametersOf<P extends object>(key: ManagedObject, asked: P | undefined) {
  return asked ?? key.attributes.cryptographicParameters?.[0] ?? {};
}

export function refuseStreaming(request: {
  correlationValue?: unknown;
  initIndicator?: boolean | undefined;
  finalIndicator?: boolean | undefined;
}): void {
  if (request.correlationValue !== undefined || (request.initIndicator && !request.finalIndicator))
    throw new KmipError("FeatureNotSupported", "Data comes in one piece");
}
