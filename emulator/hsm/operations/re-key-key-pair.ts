import { isDeepStrictEqual } from "node:util";
import { type Attributes, KmipError, type RequestPayload } from "#protocol/kmip/index.ts";
import { inPlaceOf } from "../policy/access.ts";
import type { ManagedObject } from "../store/managed-object.ts";
import { Conflict } from "../store/work.ts";
import type { Context } from "./context.ts";
import type { Handler } from "./handler.ts";
import { generatePair, kindOf, mergedAttributes, putPair } from "./key-pair.ts";
import { objectFor } from "./object-for.ts";
import type { Operation } from "./operation.ts";
import { checkReplaceable, giveAwayName, linkReplacement, replacementAttributes } from "./replacement.ts";

/** Re-key Key Pair (KMIP 2.1 §6.1.47): a new pair in place of another, named by its private key. */
const reKeyKeyPair: Handler<"ReKeyKeyPair"> = async (request, context) => {
  const oldPrivate = objectFor(context, request.privateKeyUniqueIdentifier, "ReKeyKeyPair");
  if (oldPrivate.objectType !== "PrivateKey") throw new KmipError("InvalidObjectType", "Not a private key");
  const link = oldPrivate.attributes.link?.find(({ linkType }) => linkType === "PublicKeyLink");
  if (!link) throw new KmipError("InvalidObjectType", "The private key has no public key here");
  const oldPublic = objectFor(context, link.linkedObjectIdentifier, "ReKeyKeyPair");
  if (oldPublic.owner !== oldPrivate.owner)
    throw new KmipError("PermissionDenied", "The halves of the pair are not of one owner");
  const asked = kindOf(...attributesNow(oldPrivate, oldPublic, request, context));
  const pair = await generatePair(asked.type, asked.options, context);
  // Generating takes its time: what the old pair is now, and may do now, is what goes over.
  context.work.forget();
  const current = [again(oldPrivate.uid, context), again(oldPublic.uid, context)] as const;
  const [privateAttributes, publicAttributes] = attributesNow(...current, request, context);
  const { type, options, described } = kindOf(privateAttributes, publicAttributes);
  if (!isDeepStrictEqual([type, options], [asked.type, asked.options])) throw new Conflict(oldPrivate.uid);
  for (const old of current) giveAwayName(old, context);
  const made = putPair(
    { ...context, subject: inPlaceOf(current[0], context.subject) },
    pair,
    { ...privateAttributes, ...described },
    { ...publicAttributes, ...described },
  );
  const [newPrivate, newPublic] = [made.privateKeyUniqueIdentifier, made.publicKeyUniqueIdentifier];
  linkReplacement(current[0], context.work.known(newPrivate), context);
  linkReplacement(current[1], context.work.known(newPublic), context);
  context.references.name(made.publicKeyUniqueIdentifier, "ReKeyKeyPairPublicKey");
  context.references.set(made.privateKeyUniqueIdentifier, "ReKeyKeyPairPrivateKey", "ReKeyKeyPair");
  return made;
};

/** The attributes of the new private and public key, from what the old ones are now. */
function attributesNow(
  oldPrivate: ManagedObject,
  oldPublic: ManagedObject,
  {
    commonAttributes = {},
    privateKeyAttributes,
    publicKeyAttributes,
    offset,
  }: RequestPayload<"ReKeyKeyPair">,
  context: Context,
): [Attributes, Attributes] {
  const replaced = (old: ManagedObject, own: Attributes | undefined) => {
    checkReplaceable(old, context);
    return replacementAttributes(old, mergedAttributes(commonAttributes, own), offset, context);
  };
  return [replaced(oldPrivate, privateKeyAttributes), replaced(oldPublic, publicKeyAttributes)];
}

function again(uid: string, context: Context): ManagedObject {
  return objectFor(context, uid, "ReKeyKeyPair");
}

export const ReKeyKeyPair: Operation<"ReKeyKeyPair"> = {
  handler: reKeyKeyPair,
  needsValue: true,
  unattested: false,
  deferrable: true,
  undoable: true,
  roles: [],
  ticket: "none",
  policyName: "REKEY_KEY_PAIR",
  shared: false,
};
