import { equalConstantTime } from "#protocol/bytes.ts";
import { KmipError } from "#protocol/kmip/index.ts";
import { digest, mac as makeMac } from "../crypto/mac.ts";
import { secretBytes } from "../material.ts";
import { type Handler, objectFor } from "./handler.ts";
import { parametersOf, refuseStreaming } from "./sign.ts";
import { checkUsable } from "./usage.ts";

/** MAC (KMIP 2.1 §6.1.32): HMAC or CMAC, by the parameters or the key's own algorithm. */
export const mac: Handler<"MAC"> = (request, context) => {
  refuseStreaming(request);
  const key = objectFor(context, request.uniqueIdentifier, "MAC");
  checkUsable(key, "MACGenerate", context.now);
  if (!request.data) throw new KmipError("MissingData", "There is no data");
  const parameters = parametersOf(key, request.cryptographicParameters);
  const algorithm = parameters.cryptographicAlgorithm ?? key.attributes.cryptographicAlgorithm;
  return {
    uniqueIdentifier: key.uid,
    macData: makeMac(algorithm, parameters, secretBytes(key), request.data),
  };
};

/** MAC Verify (KMIP 2.1 §6.1.33) */
export const macVerify: Handler<"MACVerify"> = (request, context) => {
  refuseStreaming(request);
  const key = objectFor(context, request.uniqueIdentifier, "MACVerify");
  checkUsable(key, "MACVerify", context.now);
  if (!request.data || !request.macData) throw new KmipError("MissingData", "There is no data or no MAC");
  const parameters = parametersOf(key, request.cryptographicParameters);
  const algorithm = parameters.cryptographicAlgorithm ?? key.attributes.cryptographicAlgorithm;
  const expected = makeMac(algorithm, parameters, secretBytes(key), request.data);
  const valid = equalConstantTime(expected, request.macData);
  return { uniqueIdentifier: key.uid, validityIndicator: valid ? "Valid" : "Invalid" };
};

/** Hash (KMIP 2.1 §6.1.24): needs no key. */
export const hash: Handler<"Hash"> = (request) => {
  refuseStreaming(request);
  if (!request.data) throw new KmipError("MissingData", "There is no data");
  return { data: digest(request.cryptographicParameters?.hashingAlgorithm, request.data) };
};
