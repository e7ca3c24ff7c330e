import { type Attributes, KmipError } from "#protocol/kmip/index.ts";
import { admitAttributes, childClass, classAttributes, isSecondChild } from "../policy/admission.ts";
import { isAppSpecific } from "../policy/app-specific.ts";
import { classOf } from "../policy/classes.ts";
import { cekAttributes, isCek, isCekOrder } from "../policy/master-cek.ts";
import { isRestricted } from "../policy/roles.ts";
import { seedHmacAttributes } from "../policy/seed.ts";
import { replacedBy } from "../policy/succession.ts";
import type { ManagedObject } from "../store/managed-object.ts";
import type { Context } from "./context.ts";
import type { Handler } from "./handler.ts";
import { newIdentifier } from "./identifier.ts";
import { keyLength } from "./key-length.ts";
import { addLink } from "./links.ts";
import { checkSettable, putNew } from "./new-object.ts";
import { objectFor } from "./object-for.ts";
import type { Operation } from "./operation.ts";
import { checkUsable } from "./usage.ts";

/** Create (KMIP 2.1 §6.1.8): a symmetric key, or secret data. */
const create: Handler<"Create"> = ({ objectType, attributes }, context) => {
  if (objectType === "SecretData") return createSecretData(attributes, context);
  if (objectType !== "SymmetricKey")
    throw new KmipError("InvalidObjectType", "Create makes symmetric keys and secret data");
  checkSettable(attributes);
  const ruled = ruledAttributes(attributes, context);
  const { bytes, length } = keyLength(ruled);
  const replaced = classOf(ruled) === "master" ? replacedBy(ruled, context.work, context.now) : undefined;
  const object = putNew(context, {
    uid: newIdentifier(context),
    objectType,
    attributes: { ...ruled, cryptographicLength: length, keyFormatType: "Raw" },
    made: true,
    value: {
      symmetricKey: {
        keyBlock: {
          keyFormatType: "Raw",
          keyValue: { keyMaterial: context.random(bytes) },
          cryptographicAlgorithm: ruled.cryptographicAlgorithm,
          cryptographicLength: length,
        },
      },
    },
  });
  if (replaced) addLink(replaced, "ReplacementObjectLink", object.uid, context, { only: true });
  context.references.set(object.uid, "Create");
  return { objectType, uniqueIdentifier: object.uid };
};

/** Secret data are random bytes, called a password (TC-CREATE-SD-1). Outside the key hierarchy only. */
function createSecretData(attributes: Attributes, context: Context) {
  const { subject, random, references } = context;
  if (isRestricted(subject.role)) throw new KmipError("PermissionDenied", "Not allowed for this identity");
  checkSettable(attributes);
  admitAttributes(subject, "Create", "SecretData", attributes);
  const bits = attributes.cryptographicLength ?? 256;
  if (bits < 8 || bits > 8192 || bits % 8 !== 0)
    throw new KmipError("InvalidField", "Not a length of secret data");
  const { uid } = putNew(context, {
    uid: newIdentifier(context),
    objectType: "SecretData",
    attributes: { ...attributes, cryptographicLength: bits, keyFormatType: "Opaque" },
    made: true,
    value: {
      secretData: {
        secretDataType: "Password",
        keyBlock: { keyFormatType: "Opaque", keyValue: { keyMaterial: random(bits / 8) } },
      },
    },
  });
  references.set(uid, "Create");
  return { objectType: "SecretData" as const, uniqueIdentifier: uid };
}

/** What the release policy makes of the request. */
function ruledAttributes(attributes: Attributes, context: Context): Attributes {
  const { subject } = context;
  const { parent } = admitAttributes(subject, "Create", "SymmetricKey", attributes);
  if (parent !== undefined) {
    const parentKey = objectFor({ ...context, subject }, parent, "Get");
    const keyClass = childClass(subject, parentKey, "parentFor", kindAsked(attributes, parentKey));
    checkUsable(parentKey, "WrapKey", context.now);
    const made = classAttributes(keyClass, attributes, parentKey);
    return isCek(keyClass) ? cekAttributes(made, "WrapKey", context.now) : made;
  }
  if (isRestricted(subject.role)) throw new KmipError("PermissionDenied", "A key needs a parent");
  const keyClass = classOf(attributes);
  if (keyClass === "seed-hmac") return seedHmacAttributes(attributes);
  return keyClass ? classAttributes(keyClass, attributes) : attributes;
}

/** Where a parent has several kinds of children, their use tells them apart. */
function kindAsked(attributes: Attributes, parent: ManagedObject) {
  if (isCekOrder(attributes, parent)) return "cek";
  if (parent.objectType === "PublicKey" && isAppSpecific(attributes)) return "app-specific";
  return isSecondChild(attributes, parent) ? "secondChild" : "child";
}

export const Create: Operation<"Create"> = {
  handler: create,
  needsValue: false,
  unattested: false,
  deferrable: true,
  undoable: true,
  roles: ["kms"],
  ticket: "none",
  policyName: undefined,
  shared: false,
};
