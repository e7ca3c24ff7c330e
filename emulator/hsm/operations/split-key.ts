import { type Attributes, KmipError, type RequestPayload } from "#protocol/kmip/index.ts";
import { joinPolynomial, joinXor, type Share, splitPolynomial, splitXor } from "../crypto/secret-sharing.ts";
import { admitAttributes } from "../policy/admission.ts";
import { withRequirements } from "../policy/attestation.ts";
import { checkRelease } from "../policy/release.ts";
import { isRestricted } from "../policy/roles.ts";
import { checkNoPad, isSecret } from "../policy/secrecy.ts";
import type { ManagedObject, ObjectValue } from "../store/managed-object.ts";
import { keyBlockOf, secretBytes } from "../store/material.ts";
import type { Asker, Clock, Context, Effort, Randomness, Store } from "./context.ts";
import type { Handler } from "./handler.ts";
import { newIdentifier } from "./identifier.ts";
import { checkSettable, putNew } from "./new-object.ts";
import { objectFor } from "./object-for.ts";
import type { Operation } from "./operation.ts";

type Request = RequestPayload<"CreateSplitKey">;
type Bytes = Uint8Array<ArrayBuffer>;

/** Parts that there may be of a key, and bytes that it may have. */
const MAX_PARTS = 255;
const MAX_BYTES = 4096;
/** Multiplications in GF(2^8) that a unit of work (`HeavyWork`) is. */
const BYTES_OF_A_UNIT = 16;

/**
 * Create Split Key (KMIP 2.1 §6.1.10): the parts of a key, each an object. Who may not have the key in plain may not
 * have its parts: the release policy decides, as for Get.
 */
const createSplitKey: Handler<"CreateSplitKey"> = async (request, context) => {
  const { subject, references } = context;
  const { splitKeyParts: parts, attributes = {} } = request;
  if (isRestricted(subject.role)) throw new KmipError("PermissionDenied", "Not allowed for this identity");
  checkSettable(attributes);
  admitAttributes(subject, "Create", "SplitKey", attributes);
  checkShape(request);
  const source = sourceOf(request, context);
  const shares = await split(source.secret, request, context);
  // It may have taken its time: the key as it is now may no longer be had in plain.
  context.work.forget();
  const bases = source.base ? [source.base, splittable(request.uniqueIdentifier, context)] : [];
  const identifiers = shares.map((keyMaterial, index) => {
    const { uid } = putNew(context, {
      uid: newIdentifier(context),
      objectType: "SplitKey",
      attributes: withRequirements(bases, {
        ...source.attributes,
        ...attributes,
        keyFormatType: "Raw",
      }),
      made: true,
      value: {
        splitKey: {
          splitKeyParts: parts,
          keyPartIdentifier: index + 1,
          splitKeyThreshold: request.splitKeyThreshold,
          splitKeyMethod: request.splitKeyMethod,
          keyBlock: { keyFormatType: "Raw", keyValue: { keyMaterial }, ...source.attributes },
        },
      },
    });
    // KMIP 1.2 §4.38 Create Split Key: the ID Placeholder is the part whose Key Part Identifier is 1.
    if (index === 0) references.set(uid, "CreateSplitKey");
    else references.add(uid);
    return uid;
  });
  return { uniqueIdentifier: identifiers };
};

/** Join Split Key (KMIP 2.1 §6.1.27): the key of the parts, or secret data. */
const joinSplitKey: Handler<"JoinSplitKey"> = async (request, context) => {
  const { objectType, attributes = {}, secretDataType = "Seed" } = request;
  const { subject, references } = context;
  if (isRestricted(subject.role)) throw new KmipError("PermissionDenied", "Not allowed for this identity");
  if (objectType !== "SymmetricKey" && objectType !== "SecretData")
    throw new KmipError("InvalidObjectType", "Parts are joined to symmetric keys and secret data");
  checkSettable(attributes);
  admitAttributes(subject, "JoinSplitKey", objectType, attributes);
  if (request.uniqueIdentifier.length > MAX_PARTS) throw new KmipError("InvalidField", "Too many parts");
  const partsNow = () => {
    const found = request.uniqueIdentifier.map((one) => objectFor(context, one, "JoinSplitKey"));
    for (const part of found) checkPart(part, context);
    if (found.some(isSecret)) checkNoPad(attributes);
    return found;
  };
  const joinedFrom = partsNow();
  const keyMaterial = await joined(joinedFrom, context);
  // That may have taken its time: the rules are those of the parts that were joined, and of what they are now.
  context.work.forget();
  const parts = [...joinedFrom, ...partsNow()];
  const { cryptographicAlgorithm, cryptographicLength = keyMaterial.length * 8 } = attributes;
  if (cryptographicLength !== keyMaterial.length * 8)
    throw new KmipError("CryptographicFailure", "The parts make a key of another length");
  const described: Attributes = {
    ...(cryptographicAlgorithm === undefined ? {} : { cryptographicAlgorithm }),
    cryptographicLength,
  };
  const keyBlock = { keyFormatType: "Raw" as const, keyValue: { keyMaterial }, ...described };
  const value: ObjectValue =
    objectType === "SymmetricKey"
      ? { symmetricKey: { keyBlock } }
      : { secretData: { secretDataType, keyBlock } };
  const { uid } = putNew(context, {
    uid: newIdentifier(context),
    objectType,
    attributes: withRequirements(parts, {
      ...attributes,
      ...described,
      ...(parts.some((part) => part.attributes.sensitive) ? { sensitive: true } : {}),
      ...(parts.some((part) => part.attributes.extractable === false) ? { extractable: false } : {}),
      keyFormatType: "Raw",
    }),
    value,
    made: false,
  });
  references.set(uid, "JoinSplitKey");
  return { uniqueIdentifier: uid };
};

/** The key becomes the client's own: parts of others count as if it got them in plain. */
function checkPart(part: ManagedObject, { subject, work, now }: Asker & Clock & Store): void {
  if (part.owner !== subject.identity) checkRelease(subject, part, undefined, work, now);
}

function checkShape({
  objectType,
  splitKeyParts: parts,
  splitKeyThreshold: threshold,
  ...request
}: Request): void {
  if (objectType !== "SplitKey" && objectType !== "SymmetricKey" && objectType !== "SecretData")
    throw new KmipError("InvalidObjectType", "Symmetric keys and secret data are split");
  if (parts < 2 || parts > MAX_PARTS || threshold < 2 || threshold > parts)
    throw new KmipError("InvalidField", "Not a number of parts");
  if (request.splitKeyMethod === "XOR" && threshold !== parts)
    throw new KmipError("InvalidField", "XOR needs all the parts");
}

/** The key that is named, if it may be had in plain, or a new one. */
function sourceOf({ uniqueIdentifier, attributes = {} }: Request, context: Context) {
  if (uniqueIdentifier === undefined) {
    const bits = attributes.cryptographicLength ?? 256;
    if (bits < 8 || bits > 8192 || bits % 8 !== 0) throw new KmipError("InvalidField", "Not a length");
    return { secret: context.random(bits / 8), attributes: described(attributes, bits) };
  }
  const base = splittable(uniqueIdentifier, context);
  const secret = secretBytes(base);
  return { secret, attributes: described(base.attributes, secret.length * 8), base };
}

function splittable(identifier: Request["uniqueIdentifier"], context: Context): ManagedObject {
  const object = objectFor(context, identifier, "CreateSplitKey");
  checkRelease(context.subject, object, undefined, context.work, context.now);
  return object;
}

function described({ cryptographicAlgorithm }: Attributes, cryptographicLength: number): Attributes {
  return { ...(cryptographicAlgorithm === undefined ? {} : { cryptographicAlgorithm }), cryptographicLength };
}

async function split(
  secret: Uint8Array,
  request: Request,
  { random, spend, turnOver }: Randomness & Effort,
): Promise<Bytes[]> {
  const { splitKeyParts: parts, splitKeyThreshold: threshold, splitKeyMethod } = request;
  if (secret.length > MAX_BYTES) throw new KmipError("InvalidField", "The key is too long to be split");
  if (splitKeyMethod === "XOR") return splitXor(secret, parts, random);
  if (splitKeyMethod === "PolynomialSharingGF2_8") {
    spend(Math.ceil((secret.length * parts * threshold) / BYTES_OF_A_UNIT));
    return splitPolynomial(secret, parts, threshold, random, turnOver);
  }
  throw new KmipError("FeatureNotSupported", "Not a method of splitting here");
}

/** One error for whatever is wrong with the parts. */
async function joined(parts: ManagedObject[], { spend, turnOver }: Effort): Promise<Bytes> {
  const failure = new KmipError("CryptographicFailure", "The parts make no key");
  const [first] = parts.map(({ value }) => value?.splitKey);
  if (!first || parts.length < first.splitKeyThreshold) throw failure;
  const shares = parts.map((part): Share => {
    const splitKey = part.value?.splitKey;
    const { keyValue, keyWrappingData } = keyBlockOf(part);
    if (!splitKey || splitKey.splitKeyMethod !== first.splitKeyMethod || keyWrappingData) throw failure;
    const bytes = keyValue instanceof Uint8Array ? undefined : keyValue?.keyMaterial;
    if (!(bytes instanceof Uint8Array)) throw failure;
    return { identifier: splitKey.keyPartIdentifier, bytes };
  });
  if (new Set(shares.map(({ identifier }) => identifier)).size !== shares.length) throw failure;
  const length = shares[0]?.bytes.length ?? 0;
  if (shares.some(({ bytes, identifier }) => bytes.length !== length || identifier < 1)) throw failure;
  if (length > MAX_BYTES) throw failure;
  spend(Math.ceil((length * shares.length) / BYTES_OF_A_UNIT));
  if (first.splitKeyMethod === "XOR") return joinXor(shares);
  if (first.splitKeyMethod === "PolynomialSharingGF2_8" && shares.every(({ identifier }) => identifier < 256))
    return joinPolynomial(shares, turnOver);
  throw failure;
}

export const CreateSplitKey: Operation<"CreateSplitKey"> = {
  handler: createSplitKey,
  needsValue: true,
  unattested: false,
  deferrable: true,
  undoable: true,
  roles: [],
  ticket: "none",
  policyName: "CREATE_SPLIT_KEY",
  shared: false,
};

export const JoinSplitKey: Operation<"JoinSplitKey"> = {
  handler: joinSplitKey,
  needsValue: true,
  unattested: false,
  deferrable: true,
  undoable: true,
  roles: [],
  ticket: "none",
  policyName: "JOIN_SPLIT_KEY",
  shared: false,
};
