import {
  type KeyBlock,
  type KeyWrappingSpecification,
  KmipError,
  type RequestPayload,
  type ResultReason,
} from "#protocol/kmip/index.ts";
import { classOf } from "../policy/classes.ts";
import { checkRelease, type Wrapping } from "../policy/release.ts";
import { checkWrapsByStream, isSecret } from "../policy/secrecy.ts";
import type { ManagedObject, ObjectValue } from "../store/managed-object.ts";
import { keyBlockOf } from "../store/material.ts";
import { clientAttributes } from "./client-attributes.ts";
import type { Asker, Clock, Context, Kept, Store } from "./context.ts";
import type { Handler } from "./handler.ts";
import { inFormat } from "./key-format.ts";
import {
  blockBytes,
  isWrapped,
  ttlvKeyValue,
  unwrapBlock,
  wrapBytes,
  wrappingParameters,
} from "./key-wrapping.ts";
import { objectFor } from "./object-for.ts";
import type { Operation } from "./operation.ts";
import { pkcs12Block } from "./pkcs12.ts";
import { unwrappingKey } from "./unwrapping-key.ts";
import { checkUsable, countUsage } from "./usage.ts";
import { attributesToWrap } from "./wrapped-attributes.ts";

/** Get (KMIP 2.1 §6.1.19): the object in plain, or wrapped by a key of the HSM. */
const get: Handler<"Get"> = (request, context) => {
  const object = objectFor(context, request.uniqueIdentifier, "Get");
  const value = released(object, request, context);
  served(object, context);
  return {
    objectType: object.objectType,
    uniqueIdentifier: object.uid,
    object: value,
  };
};

/** An object is fresh until a client gets it (KMIP 2.1 §4.24); Export does not count (TC-IMPEXP-1). */
function served(object: ManagedObject, { work, groups, holder, now }: Asker & Clock & Store & Kept): void {
  for (const group of object.attributes.objectGroup ?? []) groups.served(holder, group, object.uid);
  if (object.attributes.fresh !== true) return;
  object.attributes.fresh = false;
  object.attributes.lastChangeDate = now;
  work.put(object);
}

/** Export (KMIP 2.1 §6.1.18): Get with all attributes. */
const exportObject: Handler<"Export"> = (request, context) => {
  const object = objectFor(context, request.uniqueIdentifier, "Export", { destroyed: true });
  const value = released(object, request, context);
  return {
    objectType: object.objectType,
    uniqueIdentifier: object.uid,
    attributes: clientAttributes(object, context.now),
    object: value,
  };
};

function released(object: ManagedObject, request: RequestPayload<"Get">, context: Context): ObjectValue {
  const { work, now, subject } = context;
  const specification = request.keyWrappingSpecification;
  const wrapping = specification && wrappingOf(specification, context);
  checkRelease(subject, object, wrapping, work, now);
  if (!object.value) throw new KmipError("KeyValueNotPresent", "The object's value is not here");
  if (
    request.keyCompressionType !== undefined &&
    request.keyCompressionType !== "ECPublicKeyTypeUncompressed"
  )
    throw new KmipError("KeyCompressionTypeNotSupported", "Points are not compressed here");
  if (!hasKeyBlock(object.value)) {
    if (wrapping) throw new KmipError("InvalidObjectType", "Only keys are wrapped");
    if (request.keyFormatType !== undefined)
      throw new KmipError("KeyFormatTypeNotSupported", "The object is not a key");
    return object.value;
  }
  if (request.keyFormatType === "PKCS_12" && object.objectType === "PrivateKey") {
    if (wrapping) throw new KmipError("KeyFormatTypeNotSupported", "PKCS#12 is not wrapped");
    return withBlock(object.value, pkcs12Block(object, context));
  }
  const kept = keptBlock(object, request, context);
  const block = inFormat({ ...object, value: withBlock(object.value, kept) }, kept, request.keyFormatType);
  if (!wrapping) return withBlock(object.value, block);
  checkUsable(wrapping.key, "WrapKey", now);
  countUsage(wrapping.key, 0, context);
  return withBlock(object.value, wrapped(block, wrapping, object, context));
}

/**
 * The key block as it was registered, or without what its client wrapped it in (KMIP 2.1 §11.29 Key Wrap Type). The
 * client could as well import it so; what keys of the hierarchy wrap comes out nowhere.
 */
function keptBlock(object: ManagedObject, request: RequestPayload<"Get">, context: Context): KeyBlock {
  const block = keyBlockOf(object);
  if (request.keyWrapType !== "NotWrapped" || !isWrapped(block)) return block;
  if (classOf(object.attributes)) throw new KmipError("PermissionDenied", "Kept as it is wrapped");
  const key = unwrappingKey(block, context);
  if (classOf(key.attributes)) throw new KmipError("PermissionDenied", "Not your unwrapping key");
  if (isSecret(key) && !request.keyWrappingSpecification)
    throw new KmipError("Sensitive", "What a secret key opens is sensitive");
  return unwrapBlock(block, key, context.version);
}

/** The wrapping key that the specification names. It is found by the rules of wrapping, not of reading. */
function wrappingOf(specification: KeyWrappingSpecification, context: Context): Wrapping {
  const identifier = specification.encryptionKeyInformation?.uniqueIdentifier;
  if (identifier === undefined) throw new KmipError("MissingData", "The wrapping key is not named");
  try {
    return { key: objectFor(context, identifier, "Get"), specification };
  } catch (error) {
    const code = error instanceof KmipError ? WRAPPING_REASONS[String(error.code)] : undefined;
    throw code ? new KmipError(code, "The wrapping key is not here") : error;
  }
}

const WRAPPING_REASONS: Readonly<Record<string, ResultReason>> = {
  ObjectArchived: "WrappingObjectArchived",
  ObjectNotFound: "WrappingObjectNotFound",
  ObjectDestroyed: "WrappingObjectDestroyed",
};

function wrapped(
  block: KeyBlock,
  { key, specification }: Wrapping,
  object: ManagedObject,
  context: Context,
): KeyBlock {
  const { wrappingMethod, encryptionKeyInformation, macSignatureKeyInformation } = specification;
  if (wrappingMethod !== "Encrypt" || macSignatureKeyInformation)
    throw new KmipError("FeatureNotSupported", "Keys are wrapped by encryption only");
  const attributes = attributesToWrap(object, specification, context);
  const asked = encryptionKeyInformation?.cryptographicParameters;
  const parameters = wrappingParameters(key, asked);
  // The policy compared the request's parameters; the defaults of the wrapping key are not looked at for the hierarchy.
  if (classOf(object.attributes) && parameters !== asked)
    throw new KmipError("PermissionDenied", "Say how to wrap");
  if (object.attributes.sensitive && parameters.blockCipherMode === "GCM") checkWrapsByStream(key);
  const bytes = new Uint8Array(blockBytes(block));
  const bare = specification.encodingOption === "NoEncoding";
  const { bytes: keyValue, ivCounterNonce } = wrapBytes(
    key,
    parameters,
    bare ? bytes : ttlvKeyValue({ keyMaterial: bytes, ...attributes }, context.version),
    context,
  );
  const keyWrappingData = {
    wrappingMethod,
    encryptionKeyInformation: {
      uniqueIdentifier: key.uid,
      ...(asked ? { cryptographicParameters: asked } : {}),
    },
    ...(ivCounterNonce ? { ivCounterNonce } : {}),
    ...(specification.encodingOption ? { encodingOption: specification.encodingOption } : {}),
  };
  // KMIP 2.1 §3.2 Key Value: a Key Value that is wrapped is a Byte String. Some clients know only a structure.
  if (bare && context.structuredKeyValues)
    return { ...block, keyValue: { keyMaterial: keyValue }, keyWrappingData };
  return { ...block, keyValue, keyWrappingData };
}

function hasKeyBlock(value: ObjectValue): boolean {
  return !value.certificate && !value.certificateRequest && !value.opaqueObject && !value.template;
}

function withBlock(value: ObjectValue, keyBlock: KeyBlock): ObjectValue {
  const [kind] = Object.keys(value) as (keyof ObjectValue)[];
  return kind ? ({ ...value, [kind]: { ...value[kind], keyBlock } } as ObjectValue) : value;
}

export const Get: Operation<"Get"> = {
  handler: get,
  needsValue: true,
  unattested: false,
  deferrable: true,
  undoable: true,
  roles: ["kms", "ra", "iam", "audit"],
  ticket: "objects",
  policyName: "GET",
  shared: true,
};

export const Export: Operation<"Export"> = {
  handler: exportObject,
  needsValue: true,
  unattested: false,
  deferrable: true,
  undoable: true,
  roles: [],
  ticket: "objects",
  policyName: "EXPORT",
  shared: false,
};
