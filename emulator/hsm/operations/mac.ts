import { equalConstantTime } from "#protocol/bytes.ts";
import { KmipError, type RequestPayload } from "#protocol/kmip/index.ts";
import { startHash, startMac } from "../crypto/mac.ts";
import { checkDataMac, checkOperating } from "../policy/data-operations.ts";
import { isRestricted } from "../policy/roles.ts";
import type { ManagedObject } from "../store/managed-object.ts";
import { secretBytes } from "../store/material.ts";
import type { Context } from "./context.ts";
import type { Handler } from "./handler.ts";
import { objectFor } from "./object-for.ts";
import type { Operation } from "./operation.ts";
import { parametersOf } from "./parameters.ts";
import { takePiece } from "./streaming.ts";
import { checkUsable, countUsage } from "./usage.ts";

/** MAC (KMIP 2.1 §6.1.32): HMAC or CMAC, by the parameters or the key's own algorithm. */
const mac: Handler<"MAC"> = (request, context) => {
  const key = objectFor(context, request.uniqueIdentifier, "MAC", request);
  checkUsable(key, "MACGenerate", context.now);
  checkDeployments(key, request, context);
  countUsage(key, request.data?.length ?? 0, context);
  checkData(request);
  const { state, correlationValue } = takePiece("MAC", request, context, key, () => begun(key, request));
  if (correlationValue) return { uniqueIdentifier: key.uid, correlationValue };
  return { uniqueIdentifier: key.uid, macData: state.final() };
};

interface Verification extends ReturnType<typeof startMac> {
  expected?: Uint8Array;
}

/** MAC Verify (KMIP 2.1 §6.1.33): the MAC comes with any of the pieces. */
const macVerify: Handler<"MACVerify"> = (request, context) => {
  const key = objectFor(context, request.uniqueIdentifier, "MACVerify", request);
  checkUsable(key, "MACVerify", context.now);
  checkDeployments(key, request, context);
  checkData(request);
  const begin = (): Verification => begun(key, request);
  const { state, correlationValue } = takePiece("MACVerify", request, context, key, begin, (started) => {
    if (request.macData) started.expected = request.macData;
  });
  if (correlationValue) return { uniqueIdentifier: key.uid, correlationValue };
  if (!state.expected) throw new KmipError("MissingData", "There is no MAC");
  const valid = equalConstantTime(state.final(), state.expected);
  return { uniqueIdentifier: key.uid, validityIndicator: valid ? "Valid" : "Invalid" };
};

/** Hash (KMIP 2.1 §6.1.24): needs no key. */
const hash: Handler<"Hash"> = (request, context) => {
  checkData(request);
  const begin = () => startHash(request.cryptographicParameters?.hashingAlgorithm);
  const { state, correlationValue } = takePiece("Hash", request, context, undefined, begin);
  return correlationValue ? { correlationValue } : { data: state.final() };
};

function begun(key: ManagedObject, request: RequestPayload<"MAC">) {
  const parameters = parametersOf(key, request.cryptographicParameters);
  const algorithm = parameters.cryptographicAlgorithm ?? key.attributes.cryptographicAlgorithm;
  return startMac(algorithm, parameters, secretBytes(key));
}

/** An identity of a deployment has the keys for it that are derived from data keys, and works in one piece. */
function checkDeployments(
  key: ManagedObject,
  { initIndicator, correlationValue, cryptographicParameters }: RequestPayload<"MAC">,
  { subject, work, now }: Context,
): void {
  if (!isRestricted(subject.role)) return;
  checkOperating(key, "mac", work, now);
  checkDataMac(parametersOf(key, cryptographicParameters));
  if (initIndicator || correlationValue !== undefined)
    throw new KmipError("PermissionDenied", "A MAC is not streamed");
}

/** Only a piece of a stream may be without data. */
function checkData({ data, correlationValue, initIndicator }: RequestPayload<"MAC">): void {
  if (!data && !correlationValue && !initIndicator) throw new KmipError("MissingData", "There is no data");
}

export const MAC: Operation<"MAC"> = {
  handler: mac,
  needsValue: true,
  unattested: false,
  deferrable: true,
  undoable: true,
  roles: ["kms"],
  ticket: "objects",
  policyName: "MAC",
  shared: false,
};

export const MACVerify: Operation<"MACVerify"> = {
  handler: macVerify,
  needsValue: true,
  unattested: false,
  deferrable: true,
  undoable: true,
  roles: ["kms"],
  ticket: "objects",
  policyName: "MAC_VERIFY",
  shared: false,
};

export const Hash: Operation<"Hash"> = {
  handler: hash,
  needsValue: false,
  unattested: false,
  deferrable: true,
  undoable: true,
  roles: ["kms"],
  ticket: "none",
  policyName: undefined,
  shared: false,
};
