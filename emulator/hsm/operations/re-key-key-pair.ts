import { KmipError } from "#protocol/kmip/index.ts";
import { inPlaceOf } from "../policy/access.ts";
import { generatePair, kindOf, mergedAttributes, putPair } from "./create-key-pair.ts";
import { type Context, type Handler, objectFor } from "./handler.ts";
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
  const { commonAttributes, privateKeyAttributes, publicKeyAttributes, offset } = request;
  const [privateAttributes, publicAttributes] = (
    [
      [oldPrivate, privateKeyAttributes],
      [oldPublic, publicKeyAttributes],
    ] as const
  ).map(([old, own]) => {
    checkReplaceable(old, context);
    return replacementAttributes(old, mergedAttributes(commonAttributes ?? {}, own), offset, context);
  });
  const { type, options, described } = kindOf(privateAttributes!, publicAttributes!);
  const pair = await generatePair(type, options, context);
  // Generating takes its time: what the old pair is now is looked at again.
  context.work.forget();
  const current = [oldPrivate.uid, oldPublic.uid].map((uid) => again(uid, context));
  for (const old of current) giveAwayName(old, context);
  const made = putPair(
    { ...context, subject: inPlaceOf(oldPrivate, context.subject) },
    pair,
    { ...privateAttributes, ...described },
    { ...publicAttributes, ...described },
  );
  const next = [made.privateKeyUniqueIdentifier, made.publicKeyUniqueIdentifier];
  for (const [index, uid] of next.entries())
    linkReplacement(current[index]!, context.work.get(uid)!, context);
  context.references.name(made.publicKeyUniqueIdentifier, "ReKeyKeyPairPublicKey");
  context.references.set(made.privateKeyUniqueIdentifier, "ReKeyKeyPairPrivateKey", "ReKeyKeyPair");
  return made;
};

function again(uid: string, context: Context) {
  const object = objectFor(context, uid, "ReKeyKeyPair");
  checkReplaceable(object, context);
  return object;
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
