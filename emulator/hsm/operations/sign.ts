import { KmipError, type RequestPayload } from "#protocol/kmip/index.ts";
import {
  startDigestSignature,
  startDigestVerification,
  startSignature,
  startVerification,
} from "../crypto/signature.ts";
import { checkSigned } from "../policy/signing.ts";
import type { ManagedObject } from "../store/managed-object.ts";
import { privateKeyOf, publicKeyOf } from "../store/material.ts";
import type { Handler } from "./handler.ts";
import { objectFor } from "./object-for.ts";
import type { Operation } from "./operation.ts";
import { parametersOf } from "./parameters.ts";
import { takePiece } from "./streaming.ts";
import { checkUsable, countUsage } from "./usage.ts";

/** Sign (KMIP 2.1 §6.1.55): ECDSA signatures are DER, as the specification's profiles have them. */
const sign: Handler<"Sign"> = (request, context) => {
  const key = objectFor(context, request.uniqueIdentifier, "Sign", request);
  checkUsable(key, "Sign", context.now);
  checkSigned(context.subject, key, request, context.work, context.now);
  const message = messageOf(request);
  countUsage(key, message.data?.length ?? 0, context);
  const begin = () => {
    const parameters = parametersOf(key, request.cryptographicParameters);
    const start = request.digestedData ? startDigestSignature : startSignature;
    return start(privateKeyOf(key), parameters);
  };
  const { state, correlationValue } = takePiece("Sign", message, context, key, begin);
  if (correlationValue) return { uniqueIdentifier: key.uid, correlationValue };
  return { uniqueIdentifier: key.uid, signatureData: state.final() };
};

interface Verification extends ReturnType<typeof startVerification> {
  signature?: Uint8Array;
}

/** Signature Verify (KMIP 2.1 §6.1.56): the signature comes with any of the pieces. */
const signatureVerify: Handler<"SignatureVerify"> = (request, context) => {
  const key = objectFor(context, request.uniqueIdentifier, "SignatureVerify", request);
  checkUsable(key, "Verify", context.now);
  const message = messageOf(request);
  const begin = () => verification(key, request);
  const { state, correlationValue } = takePiece(
    "SignatureVerify",
    message,
    context,
    key,
    begin,
    (started) => {
      if (request.signatureData) started.signature = request.signatureData;
    },
  );
  if (correlationValue) return { uniqueIdentifier: key.uid, correlationValue };
  if (!state.signature) throw new KmipError("MissingData", "There is no signature");
  const valid = state.final()(state.signature);
  return { uniqueIdentifier: key.uid, validityIndicator: valid ? "Valid" : "Invalid" };
};

function verification(key: ManagedObject, request: RequestPayload<"SignatureVerify">): Verification {
  const parameters = parametersOf(key, request.cryptographicParameters);
  const start = request.digestedData ? startDigestVerification : startVerification;
  return start(publicKeyOf(key), parameters);
}

/** The piece with its data, whichever of the two fields holds it. */
function messageOf(request: RequestPayload<"Sign">) {
  const { data, digestedData, correlationValue, initIndicator } = request;
  const given = Number(data !== undefined) + Number(digestedData !== undefined);
  const streamed = correlationValue !== undefined || initIndicator;
  if (given > 1 || (given === 0 && !streamed) || (digestedData && streamed))
    throw new KmipError("InvalidField", "Either data or digested data");
  return { ...request, data: data ?? digestedData };
}

export const Sign: Operation<"Sign"> = {
  handler: sign,
  needsValue: true,
  unattested: false,
  deferrable: true,
  undoable: true,
  roles: ["kms", "ra", "iam", "audit"],
  ticket: "objects",
  policyName: "SIGN",
  shared: true,
};

export const SignatureVerify: Operation<"SignatureVerify"> = {
  handler: signatureVerify,
  needsValue: true,
  unattested: false,
  deferrable: true,
  undoable: true,
  roles: [],
  ticket: "objects",
  policyName: "SIGNATURE_VERIFY",
  shared: true,
};
