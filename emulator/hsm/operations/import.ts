import { isPolicy, KEY_PAIR, type KeyClass } from "#protocol/hierarchy/index.ts";
import { type Attributes, type KeyBlock, KmipError, type RequestPayload } from "#protocol/kmip/index.ts";
import { describeKey } from "../crypto/transparent-key.ts";
import { isOwner, mayDo } from "../policy/access.ts";
import { admitAttributes, childClass, classAttributes } from "../policy/admission.ts";
import { checkShare } from "../policy/channel.ts";
import { classOf } from "../policy/classes.ts";
import { cekAttributes, isCek, isSigningCek, keyAbove } from "../policy/master-cek.ts";
import { restoredAttributes } from "../policy/recovery.ts";
import { isRestricted } from "../policy/roles.ts";
import { checkNoPad, isSecret } from "../policy/secrecy.ts";
import { checkSeedWrapping, seedObjectAttributes } from "../policy/seed.ts";
import { signatureKind } from "../policy/signature-key.ts";
import { checkUnderParent, kindOfWrapped } from "../policy/under-parent.ts";
import type { ManagedObject, ObjectValue } from "../store/managed-object.ts";
import { parsePrivateKey } from "../store/material.ts";
import type { Asker, Context, Store } from "./context.ts";
import { checkKind, described } from "./description.ts";
import { importEncrypted } from "./encrypted-key.ts";
import type { Handler } from "./handler.ts";
import { checkChosenIdentifier } from "./identifier.ts";
import { der } from "./key-format.ts";
import { withKeyValueAttributes } from "./key-value-attributes.ts";
import { blockBytes, isWrapped, unwrapBlock, type WrappedBlock, wrappingParameters } from "./key-wrapping.ts";
import { checkSettable, putNew } from "./new-object.ts";
import type { Operation } from "./operation.ts";
import { unwrappingKey } from "./unwrapping-key.ts";
import { countUsage } from "./usage.ts";

/**
 * Import (KMIP 2.1 §6.1.25): an object with an identifier that the client chose. A wrapped key is unwrapped by a
 * resident key (Key Wrap Type Not Wrapped); then it is a child of that key where the key has a class. From an identity of
 * a deployment one that stays wrapped is a key of the class `encrypted`.
 */
const importObject: Handler<"Import"> = (request, context) => {
  const { subject, work } = context;
  const { objectType, object, keyWrapType, replaceExisting = false } = request;
  const uid = checkChosenIdentifier(request.uniqueIdentifier);
  admitAttributes(subject, "Import", objectType, request.attributes);
  checkKind(objectType, object);
  checkReplaced(context, uid, replaceExisting);
  if (isRestricted(subject.role) && objectType === "PublicKey") return importShare(request, context);
  if (isRestricted(subject.role) && objectType === "SecretData") return importSeed(request, context);
  if (isRestricted(subject.role) && keyWrapType !== "NotWrapped" && !replaceExisting)
    return importEncrypted(request, context);
  const block = object.symmetricKey?.keyBlock ?? object.privateKey?.keyBlock ?? object.secretData?.keyBlock;
  const wrapped = keyWrapType === "NotWrapped" && isWrapped(block) ? block : undefined;
  if (isRestricted(subject.role)) {
    checkSettable(request.attributes);
    const isKey = objectType === "SymmetricKey" || objectType === "PrivateKey";
    if (!wrapped || !isKey || replaceExisting)
      throw new KmipError("PermissionDenied", "Only wrapped keys of the hierarchy are imported");
  }
  const parent = wrapped && unwrappingKey(wrapped, context);
  const keyClass = wrapped && parent && ruledClass(wrapped, parent, request.attributes, context);
  const opened = withKeyValueAttributes(
    objectType,
    wrapped && parent ? unwrapped(object, wrapped, { key: parent, keyClass }, context) : object,
    request.attributes,
    context,
  );
  const { attributes } = opened;
  admitAttributes(subject, "Import", objectType, attributes);
  let value = opened.object;
  let ruled = attributes;
  if (parent) {
    if (keyClass) {
      const below = isCek(classOf(parent.attributes)) ? keyAbove(parent, work) : parent;
      ruled = classAttributes(keyClass, attributes, below, objectType);
      if (isCek(keyClass)) ruled = cekAttributes(ruled, "UnwrapKey", context.now);
      value = objectType === "PrivateKey" ? hierarchyPair(value, keyClass) : hierarchyKey(value);
      if (keyClass === "restored")
        ruled = restoredAttributes(ruled, symmetricBytes(value), {
          work,
          now: context.now,
          recovery: parent,
        });
    } else if (isSecret(parent)) {
      // Wrapped it left, or could have: opened by a key that the client does not know, it is not told in plain.
      if (attributes.sensitive === false)
        throw new KmipError("Sensitive", "What a secret key opens is sensitive");
      const described = value.symmetricKey?.keyBlock ?? {};
      checkNoPad({ ...described, ...attributes } as Attributes);
      ruled = { ...attributes, sensitive: true };
    }
  }
  const { state, ...own } = ruled;
  const imported = putNew(context, {
    uid,
    objectType,
    attributes: { ...own, ...described(objectType, value, own) },
    value,
    made: false,
    used: true,
    ...(state ? { state } : {}),
  });
  if (classOf(imported.attributes)) {
    // It was made inside an HSM under this very policy, and left it wrapped.
    imported.attributes.alwaysSensitive = true;
    work.put(imported);
  }
  const open = parent?.objectType === "PrivateKey" || parent?.attributes.alwaysSensitive === false;
  if (open) {
    // Whoever has the public half, of the parent or of one above it, can have wrapped a key that he knows.
    imported.attributes.alwaysSensitive = false;
    work.put(imported);
  }
  context.references.set(uid, "Import");
  return { uniqueIdentifier: uid };
};

/** The share of a channel's other end (M7): the one object that an identity of a deployment brings in unwrapped. */
function importShare(
  { uniqueIdentifier, attributes, object, replaceExisting }: RequestPayload<"Import">,
  context: Context,
) {
  if (replaceExisting) throw new KmipError("PermissionDenied", "A share replaces nothing");
  const block = object.publicKey?.keyBlock;
  if (isWrapped(block) || block?.keyFormatType !== "X_509")
    throw new KmipError("PermissionDenied", "A share is a public key, as it is");
  checkSettable(attributes);
  const share = putNew(context, {
    uid: checkChosenIdentifier(uniqueIdentifier),
    objectType: "PublicKey",
    attributes: { ...attributes, ...described("PublicKey", object, attributes) },
    value: object,
    made: false,
    used: true,
  });
  checkShare(context.subject, share);
  context.references.set(share.uid, "Import");
  return { uniqueIdentifier: share.uid };
}

/** A seed (M9), under the one key of a channel that opens it: what comes in is as long as it is, and stays. */
function importSeed(
  { uniqueIdentifier, attributes, object, keyWrapType, replaceExisting }: RequestPayload<"Import">,
  context: Context,
) {
  const block = object.secretData?.keyBlock;
  if (replaceExisting || keyWrapType !== "NotWrapped" || !isWrapped(block))
    throw new KmipError("PermissionDenied", "A seed comes wrapped, and replaces nothing");
  checkSettable(attributes);
  const key = unwrappingKey(block, context);
  checkSeedWrapping(key, block.keyWrappingData);
  const bytes = blockBytes(unwrapBlock(block, key, context.version));
  countUsage(key, 0, context);
  const seed = putNew(context, {
    uid: checkChosenIdentifier(uniqueIdentifier),
    objectType: "SecretData",
    attributes: seedObjectAttributes(attributes, key, bytes),
    value: {
      secretData: {
        secretDataType: "Seed",
        keyBlock: { keyFormatType: "Opaque", keyValue: { keyMaterial: new Uint8Array(bytes) } },
      },
    },
    made: false,
    used: true,
  });
  context.references.set(seed.uid, "Import");
  return { uniqueIdentifier: seed.uid };
}

/** An identifier that is taken, were it by an object that is destroyed, stays taken, but by its owner and on request. */
function checkReplaced({ work, subject }: Asker & Store, uid: string, replaceExisting: boolean): void {
  const existing = work.get(uid);
  if (!existing) return;
  // What is replaced is gone, which its operation policy may not allow its owner either.
  const own = isOwner(subject, existing) && mayDo(subject, existing, "Destroy");
  // What policy says of an object is not shaken off by a new one in its place.
  const ruled = existing.attributes.vendorAttributes?.some(isPolicy);
  if (!replaceExisting || !own || ruled)
    throw new KmipError("ObjectAlreadyExists", "The identifier is taken");
}

/**
 * The class of what comes wrapped; undefined outside the hierarchy. How it is wrapped tells a master key's kinds of children apart, and
 * an account key's what it is for: a data key and one of a signing pair give nothing away as the other.
 */
function ruledClass(
  block: WrappedBlock,
  parent: ManagedObject,
  attributes: Attributes,
  { subject }: Asker,
): KeyClass | undefined {
  if (!classOf(parent.attributes) && !isRestricted(subject.role)) return undefined;
  const asked = block.keyWrappingData.encryptionKeyInformation?.cryptographicParameters;
  const kind = kindOfWrapped(wrappingParameters(parent, asked));
  return childClass(subject, parent, "unwrapsFor", isSigningCek(attributes, parent) ? "cek" : kind);
}

function unwrapped(
  object: ObjectValue,
  block: WrappedBlock,
  { key, keyClass }: { key: ManagedObject; keyClass: KeyClass | undefined },
  { version }: Asker,
): ObjectValue {
  const { encryptionKeyInformation, encodingOption } = block.keyWrappingData;
  const parentClass = classOf(key.attributes);
  if (parentClass) {
    if (encodingOption !== "NoEncoding")
      throw new KmipError("PermissionDenied", "Keys of the hierarchy come bare");
    const objectType = object.privateKey ? "PrivateKey" : "SymmetricKey";
    const parameters = wrappingParameters(key, encryptionKeyInformation?.cryptographicParameters);
    const parent = { objectType: key.objectType, keyClass: parentClass };
    checkUnderParent({ objectType, keyClass }, parent, parameters);
  }
  const keyBlock = unwrapBlock(block, key, version);
  if (object.symmetricKey) return { symmetricKey: { ...object.symmetricKey, keyBlock } };
  if (object.privateKey) return { privateKey: { ...object.privateKey, keyBlock } };
  if (object.secretData) return { secretData: { ...object.secretData, keyBlock } };
  throw new KmipError("InvalidObjectType", "Not a wrapped key");
}

/** The private half of a pair of that class: PKCS#8, whatever the request said of it. */
function hierarchyPair(value: ObjectValue, keyClass: KeyClass): ObjectValue {
  const block = value.privateKey?.keyBlock;
  if (block?.keyFormatType !== "PKCS_8")
    throw new KmipError("PermissionDenied", "Private keys of the hierarchy are PKCS#8");
  const key = parsePrivateKey(block);
  if (keyClass === "signature") {
    // What kind it is, the policy has seen; that it is of that kind, what describes it.
    const kind = signatureKind(describeKey(key));
    return {
      privateKey: {
        keyBlock: { ...kind, keyFormatType: "PKCS_8", keyValue: { keyMaterial: der(key, "pkcs8") } },
      },
    };
  }
  const { modulusLength, publicExponent } = key.asymmetricKeyDetails ?? {};
  const isOurs = modulusLength === KEY_PAIR.cryptographicLength && publicExponent === 65537n;
  if (key.asymmetricKeyType !== "rsa" || !isOurs)
    throw new KmipError("PermissionDenied", "Pairs of the hierarchy are RSA-3072");
  const keyBlock: KeyBlock = {
    keyFormatType: "PKCS_8",
    keyValue: { keyMaterial: der(key, "pkcs8") },
    ...KEY_PAIR,
  };
  return { privateKey: { keyBlock } };
}

function symmetricBytes(value: ObjectValue): Uint8Array<ArrayBuffer> {
  const keyValue = value.symmetricKey?.keyBlock.keyValue;
  const bytes = keyValue instanceof Uint8Array ? undefined : keyValue?.keyMaterial;
  if (!(bytes instanceof Uint8Array) || bytes.length !== 32)
    throw new KmipError("PermissionDenied", "Keys of the hierarchy have 256 bits");
  return new Uint8Array(bytes);
}

/** Keys of the hierarchy are 32 raw bytes, whatever the request said of their form. */
function hierarchyKey(value: ObjectValue): ObjectValue {
  const bytes = symmetricBytes(value);
  const keyBlock: KeyBlock = {
    keyFormatType: "Raw",
    keyValue: { keyMaterial: bytes },
    cryptographicAlgorithm: "AES",
    cryptographicLength: 256,
  };
  return { symmetricKey: { keyBlock } };
}

export const Import: Operation<"Import"> = {
  handler: importObject,
  needsValue: false,
  unattested: false,
  deferrable: true,
  undoable: true,
  roles: ["kms"],
  ticket: "none",
  policyName: undefined,
  shared: false,
};
