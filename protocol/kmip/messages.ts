/** Request and response messages (KMIP 2.1 §8), typed by operation, as item trees. */

import { type EnumerationName, enumerationOf, tagNumber } from "./dictionary.ts";
import { KmipDecodeError } from "./errors.ts";
import type { Item } from "./item.ts";
import { asynchronousIndicator, credential, messageExtension, nonce } from "./parameters.ts";
import { PAYLOADS } from "./payloads.ts";
import {
  AbsentInVersion,
  boolean,
  byteString,
  type Codec,
  type Context,
  dateTime,
  enumeration,
  type Infer,
  integer,
  items,
  optional,
  optionalRepeated,
  required,
  structure,
  textString,
} from "./schema.ts";
import { protocolVersion } from "./server-information.ts";
import { type ProtocolVersion, versionIndex } from "./version.ts";

/** Name of an operation that has a schema. */
export type OperationName = keyof typeof PAYLOADS;
/** Request Payload of an operation. */
export type RequestPayload<O extends OperationName> = Infer<(typeof PAYLOADS)[O]["request"]>;
/** Response Payload of an operation. */
export type ResponsePayload<O extends OperationName> = Infer<(typeof PAYLOADS)[O]["response"]>;
/** Payload of an operation that the tables do not know. */
export type UnknownPayload = { extensions?: Item[] | undefined };

const serverHashedPassword = { serverHashedPassword: optional(byteString) };

const requestHeader = structure({
  protocolVersion: required(protocolVersion),
  maximumResponseSize: optional(integer),
  clientCorrelationValue: optional(textString),
  serverCorrelationValue: optional(textString),
  asynchronousIndicator: optional(asynchronousIndicator),
  attestationCapableIndicator: optional(boolean),
  attestationType: optionalRepeated(enumeration("AttestationType")),
  authentication: optional(structure({ credential: optionalRepeated(credential) })),
  batchErrorContinuationOption: optional(enumeration("BatchErrorContinuationOption")),
  batchOrderOption: optional(boolean),
  timeStamp: optional(dateTime),
  batchCount: required(integer),
});

const responseHeader = structure({
  protocolVersion: required(protocolVersion),
  timeStamp: required(dateTime),
  nonce: optional(nonce),
  ...serverHashedPassword,
  attestationType: optionalRepeated(enumeration("AttestationType")),
  clientCorrelationValue: optional(textString),
  serverCorrelationValue: optional(textString),
  batchCount: required(integer),
});

const requestItem = structure({
  operation: required(enumeration("Operation")),
  ephemeral: optional(boolean),
  uniqueBatchItemId: optional(byteString),
  requestPayload: required(items),
  messageExtension: optionalRepeated(messageExtension),
});

const responseItem = structure({
  operation: optional(enumeration("Operation")),
  uniqueBatchItemId: optional(byteString),
  resultStatus: required(enumeration("ResultStatus")),
  resultReason: optional(enumeration("ResultReason")),
  resultMessage: optional(textString),
  asynchronousCorrelationValue: optional(byteString),
  responsePayload: optional(items),
  messageExtension: optionalRepeated(messageExtension),
});

/** KMIP 2.1 §8.2 Request Header. The batch count is computed. */
export type RequestHeader = Omit<Infer<typeof requestHeader>, "batchCount">;
/** KMIP 2.1 §8.5 Response Header. The batch count is computed. */
export type ResponseHeader = Omit<Infer<typeof responseHeader>, "batchCount">;

type RequestFraming = Omit<Infer<typeof requestItem>, "operation" | "requestPayload">;
type ResponseFraming = Omit<Infer<typeof responseItem>, "operation" | "responsePayload">;

/** KMIP 2.1 §8.3 Request Batch Item of an operation. */
export type RequestItemOf<O extends OperationName> = RequestFraming & {
  operation: O;
  payload: RequestPayload<O>;
};
/** KMIP 2.1 §8.6 Response Batch Item of an operation. */
export type ResponseItemOf<O extends OperationName> = ResponseFraming & {
  operation: O;
  payload?: ResponsePayload<O> | undefined;
};

/** A request item; the operation says which payload it holds. A number is an operation that the tables do not know. */
export type RequestItem =
  | { [O in OperationName]: RequestItemOf<O> }[OperationName]
  | (RequestFraming & { operation: number; payload: UnknownPayload });
/** A response item; without an operation where the server could not read the request. */
export type ResponseItem =
  | { [O in OperationName]: ResponseItemOf<O> }[OperationName]
  | (ResponseFraming & { operation?: number | undefined; payload?: UnknownPayload | undefined });

export type RequestMessage = { header: RequestHeader; items: RequestItem[] };
export type ResponseMessage = { header: ResponseHeader; items: ResponseItem[] };

const TAG = {
  request: tagNumber("RequestMessage"),
  requestHeader: tagNumber("RequestHeader"),
  requestPayload: tagNumber("RequestPayload"),
  response: tagNumber("ResponseMessage"),
  responseHeader: tagNumber("ResponseHeader"),
  responsePayload: tagNumber("ResponsePayload"),
  batchItem: tagNumber("BatchItem"),
  protocolVersion: tagNumber("ProtocolVersion"),
} as const;

const unknownPayload: Codec<UnknownPayload> = structure({});

function payloadCodec(operation: string | number | undefined, side: "request" | "response"): Codec<unknown> {
  if (typeof operation !== "string" || !Object.hasOwn(PAYLOADS, operation)) return unknownPayload;
  return PAYLOADS[operation as OperationName][side];
}

function contextOf(version: ProtocolVersion, direction: Context["direction"]): Context {
  return { version: versionIndex(version), direction };
}

/** What an older client is told where its version lacks the reason (KMIP 1.4 §9.1.3.2.29 Result Reason). */
const OLDER_REASONS: Record<string, EnumerationName<"ResultReason">> = {
  ObjectNotFound: "ItemNotFound",
  WrappingObjectNotFound: "ItemNotFound",
  ObjectDestroyed: "ItemNotFound",
  WrappingObjectDestroyed: "ItemNotFound",
  WrappingObjectArchived: "ObjectArchived",
  NotAuthorised: "PermissionDenied",
  WrongKeyLifecycleState: "PermissionDenied",
  IncompatibleCryptographicUsageMask: "PermissionDenied",
  AttestationRequired: "PermissionDenied",
  AttestationFailed: "PermissionDenied",
  Sensitive: "PermissionDenied",
  NotExtractable: "PermissionDenied",
  UsageLimitExceeded: "PermissionDenied",
  AttributeReadOnly: "PermissionDenied",
  ReadOnlyAttribute: "PermissionDenied",
  InvalidTicket: "AuthenticationNotSuccessful",
  BadPassword: "AuthenticationNotSuccessful",
  BadCryptographicParameters: "InvalidField",
  UnsupportedCryptographicParameters: "InvalidField",
  InvalidAttribute: "InvalidField",
  InvalidAttributeValue: "InvalidField",
  InvalidDataType: "InvalidField",
  InvalidObjectType: "InvalidField",
  IllegalObjectType: "InvalidField",
  NonUniqueNameAttribute: "InvalidField",
  NumericRange: "InvalidField",
  UnknownEnumeration: "InvalidField",
  AttributeSingleValued: "InvalidField",
  MultiValuedAttribute: "InvalidField",
  InvalidCorrelationValue: "InvalidField",
  InvalidCSR: "InvalidField",
  UnsupportedAttribute: "InvalidField",
  AttributeNotFound: "ItemNotFound",
  AttributeInstanceNotFound: "ItemNotFound",
  InvalidAsynchronousCorrelationValue: "ItemNotFound",
  MissingInitializationVector: "InvalidMessage",
  KeyWrapTypeNotSupported: "FeatureNotSupported",
  UnsupportedProtocolVersion: "InvalidMessage",
  CodecError: "InvalidMessage",
  UnknownTag: "InvalidMessage",
  UnknownMessageExtension: "FeatureNotSupported",
};

const reasons = enumerationOf("ResultReason");

const VERSION_2_0 = versionIndex({ major: 2, minor: 0 });

/** Operations whose wrong state 2.0 reports as such; for the use of a key it says only "denied" (CS-BC-M-14-20). */
const LIFE_CYCLE: ReadonlySet<unknown> = new Set<OperationName>(["Activate", "Destroy", "Revoke"]);

/** The reason as that version knows it. */
function reasonIn(
  reason: EnumerationName<"ResultReason"> | undefined,
  version: number,
  operation: unknown,
): EnumerationName<"ResultReason"> | undefined {
  if (version === VERSION_2_0 && reason === "WrongKeyLifecycleState" && !LIFE_CYCLE.has(operation))
    return OLDER_REASONS.WrongKeyLifecycleState;
  for (let name = reason; name !== undefined; name = OLDER_REASONS[name as string]) {
    const entry = typeof name === "number" ? undefined : reasons.byName.get(name);
    if (entry === undefined || (version >= entry.first && version <= entry.last)) return name;
  }
  return reason === undefined ? undefined : "GeneralFailure";
}

/** A request message as an item tree, in the version that its header names. */
export function requestToItem(message: RequestMessage): Item {
  const { header } = message;
  const context = contextOf(header.protocolVersion, "request");
  const value = [
    requestHeader.encode(TAG.requestHeader, { ...header, batchCount: message.items.length }, context),
  ];
  for (const { payload, ...framing } of message.items) {
    const codec = payloadCodec(framing.operation, "request");
    const { value: requestPayload } = codec.encode(TAG.requestPayload, payload, context);
    const item = { ...framing, requestPayload: requestPayload as Item[] };
    value.push(requestItem.encode(TAG.batchItem, item, context));
  }
  return { tag: TAG.request, type: "Structure", value };
}

/**
 * Throws `AbsentInVersion` where the answer to an operation has no form in that version, or where something essential
 * would be left out of it.
 */
export function checkAnswer(operation: string | number, payload: unknown, version: ProtocolVersion): void {
  payloadCodec(operation, "response").encode(TAG.responsePayload, payload, contextOf(version, "response"));
}

/** Whether that version has the operation; one that the tables do not know is not judged. */
export function hasOperation(operation: string | number, version: ProtocolVersion): boolean {
  const entry = enumerationOf("Operation").byName.get(String(operation));
  const index = versionIndex(version);
  return entry === undefined || (index >= entry.first && index <= entry.last);
}

/** A response message as an item tree. What its version does not have is left out, unless it is essential. */
export function responseToItem(message: ResponseMessage): Item {
  const { header } = message;
  const context = contextOf(header.protocolVersion, "response");
  const value = [
    responseHeader.encode(TAG.responseHeader, { ...header, batchCount: message.items.length }, context),
  ];
  for (const { payload, ...framing } of message.items) {
    const item: Infer<typeof responseItem> = { ...framing };
    try {
      if (payload !== undefined) {
        const codec = payloadCodec(framing.operation, "response");
        item.responsePayload = codec.encode(TAG.responsePayload, payload, context).value as Item[];
      }
    } catch (error) {
      // What was asked for has no form in the client's version: one item fails, not the message.
      if (!(error instanceof AbsentInVersion)) throw error;
      item.resultStatus = "OperationFailed";
      item.resultReason = "FeatureNotSupported";
      item.resultMessage = error.message;
    }
    item.resultReason = reasonIn(item.resultReason, context.version, framing.operation);
    value.push(responseItem.encode(TAG.batchItem, item, context));
  }
  return { tag: TAG.response, type: "Structure", value };
}

type Parts = { header: Item; context: Context; batch: Item[] };

/** Checks the outer structure: one header, then batch items, as many as the header says. */
function split(item: Item, tag: number, headerTag: number, direction: Context["direction"]): Parts {
  if (item.tag !== tag || item.type !== "Structure")
    throw new KmipDecodeError(`not a ${direction} message`, { offset: 0 });
  const [header, ...batch] = item.value;
  if (header?.tag !== headerTag || header.type !== "Structure")
    throw new KmipDecodeError("header is missing", { offset: 8 });
  const versionItem = header.value.find((child) => child.tag === TAG.protocolVersion);
  if (versionItem === undefined) throw new KmipDecodeError("ProtocolVersion is missing", { offset: 16 });
  for (const one of batch) {
    if (one.tag !== TAG.batchItem) throw new KmipDecodeError("unexpected item after the header");
  }
  const version = protocolVersion.decode(versionItem, { version: 0, direction });
  return { header, context: contextOf(version, direction), batch };
}

function checkCount(count: number, batch: Item[]): void {
  if (count !== batch.length) throw new KmipDecodeError(`batch count is ${count}, items are ${batch.length}`);
}

/** Reads a request message from an item tree. Throws `KmipDecodeError`. */
export function requestFromItem(item: Item): RequestMessage {
  const { header, context, batch } = split(item, TAG.request, TAG.requestHeader, "request");
  const { batchCount, ...rest } = requestHeader.decode(header, context);
  checkCount(batchCount, batch);
  const decoded = batch.map((one) => {
    const { requestPayload, ...framing } = requestItem.decode(one, context);
    const payloadItem: Item = { tag: TAG.requestPayload, type: "Structure", value: requestPayload };
    const payload = payloadCodec(framing.operation, "request").decode(payloadItem, context);
    return { ...framing, payload } as RequestItem;
  });
  return { header: rest, items: decoded };
}

/** Reads a response message from an item tree. Throws `KmipDecodeError`. */
export function responseFromItem(item: Item): ResponseMessage {
  const { header, context, batch } = split(item, TAG.response, TAG.responseHeader, "response");
  const { batchCount, ...rest } = responseHeader.decode(header, context);
  checkCount(batchCount, batch);
  const decoded = batch.map((one) => {
    const { responsePayload, ...framing } = responseItem.decode(one, context);
    if (responsePayload === undefined) return framing as ResponseItem;
    const payloadItem: Item = { tag: TAG.responsePayload, type: "Structure", value: responsePayload };
    const payload = payloadCodec(framing.operation, "response").decode(payloadItem, context);
    return { ...framing, payload } as ResponseItem;
  });
  return { header: rest, items: decoded };
}
