import { type Attributes, KmipError } from "#protocol/kmip/index.ts";
import { admitAttributes, childClass, classAttributes, isSecondChild } from "../policy/admission.ts";
import { agreementAttributes } from "../policy/channel.ts";
import { classOf } from "../policy/classes.ts";
import { isRestricted } from "../policy/roles.ts";
import { replacedBy } from "../policy/succession.ts";
import type { Context } from "./context.ts";
import type { Handler } from "./handler.ts";
import { generatePair, kindOf, mergedAttributes, putPair } from "./key-pair.ts";
import { addLink } from "./links.ts";
import { checkSettable } from "./new-object.ts";
import { objectFor } from "./object-for.ts";
import type { Operation } from "./operation.ts";
import { checkUsable } from "./usage.ts";

/** Create Key Pair (KMIP 2.1 §6.1.9): RSA, EC on the curves of `crypto/curves.ts`, Ed25519, Ed448, X25519, X448, ML-DSA-65. */
const createKeyPair: Handler<"CreateKeyPair"> = async (request, context) => {
  const { subject } = context;
  const common = request.commonAttributes ?? {};
  const privateAttributes = mergedAttributes(common, request.privateKeyAttributes);
  const publicAttributes = mergedAttributes(common, request.publicKeyAttributes);
  let parent: string | undefined;
  for (const [objectType, attributes] of [
    ["PrivateKey", privateAttributes],
    ["PublicKey", publicAttributes],
  ] as const) {
    checkSettable(attributes);
    const admitted = admitAttributes(subject, "CreateKeyPair", objectType, attributes);
    if (objectType === "PrivateKey") parent = admitted.parent;
    else if (admitted.parent !== undefined)
      throw new KmipError("PermissionDenied", "The private half alone has a parent");
    if (isRestricted(subject.role) && parent === undefined)
      agreementAttributes(subject, privateAttributes, context.now);
    if (attributes.cryptographicUsageMask === undefined)
      throw new KmipError("MissingData", "Cryptographic Usage Mask is missing");
  }
  const ruled = ruledAttributes(privateAttributes, parent, context);
  const { type, options, described } = kindOf(ruled, publicAttributes);
  const pair = await generatePair(type, options, context);
  // Asked after the pair was made, which takes its time.
  const replaced = classOf(ruled) === "master" ? replacedBy(ruled, context.work, context.now) : undefined;
  const made = putPair(context, pair, { ...ruled, ...described }, { ...publicAttributes, ...described });
  if (replaced)
    addLink(replaced, "ReplacementObjectLink", made.privateKeyUniqueIdentifier, context, { only: true });
  context.references.name(made.publicKeyUniqueIdentifier, "CreateKeyPairPublicKey");
  context.references.set(made.privateKeyUniqueIdentifier, "CreateKeyPairPrivateKey", "CreateKeyPair");
  return made;
};

/**
 * Of the identities of a deployment a pair is an account key, whose private half stands for both, or one that signs for an account, or without a parent an agreement key.
 * The officer's may be a master key.
 */
function ruledAttributes(attributes: Attributes, parent: string | undefined, context: Context): Attributes {
  const { subject, now } = context;
  if (parent === undefined) {
    if (isRestricted(subject.role)) return agreementAttributes(subject, attributes, now);
    const own = classOf(attributes);
    return own ? classAttributes(own, attributes, undefined, "PrivateKey") : attributes;
  }
  const parentKey = objectFor(context, parent, "Get");
  const kind = isSecondChild(attributes, parentKey) ? "secondChild" : "child";
  const keyClass = childClass(subject, parentKey, "parentFor", kind);
  checkUsable(parentKey, "WrapKey", now);
  return classAttributes(keyClass, attributes, parentKey, "PrivateKey");
}

export const CreateKeyPair: Operation<"CreateKeyPair"> = {
  handler: createKeyPair,
  needsValue: false,
  unattested: false,
  deferrable: true,
  undoable: true,
  roles: ["kms"],
  ticket: "none",
  policyName: undefined,
  shared: false,
};
