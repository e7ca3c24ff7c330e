import { KmipError } from "#protocol/kmip/index.ts";
import { admitAttributes } from "../policy/admission.ts";
import { isRestricted } from "../policy/roles.ts";
import type { Handler } from "./handler.ts";
import { generatePair, kindOf, mergedAttributes, putPair } from "./key-pair.ts";
import { checkSettable } from "./new-object.ts";
import type { Operation } from "./operation.ts";

/** Create Key Pair (KMIP 2.1 §6.1.9): RSA, EC on the curves of `crypto/curves.ts`, Ed25519, Ed448, X25519, X448. */
const createKeyPair: Handler<"CreateKeyPair"> = async (request, context) => {
  const { subject } = context;
  const common = request.commonAttributes ?? {};
  const privateAttributes = mergedAttributes(common, request.privateKeyAttributes);
  const publicAttributes = mergedAttributes(common, request.publicKeyAttributes);
  if (isRestricted(subject.role)) throw new KmipError("PermissionDenied", "Not allowed for this identity");
  for (const [objectType, attributes] of [
    ["PrivateKey", privateAttributes],
    ["PublicKey", publicAttributes],
  ] as const) {
    checkSettable(attributes);
    admitAttributes(subject, "CreateKeyPair", objectType, attributes);
    if (attributes.cryptographicUsageMask === undefined)
      throw new KmipError("MissingData", "Cryptographic Usage Mask is missing");
  }
  const { type, options, described } = kindOf(privateAttributes, publicAttributes);
  const pair = await generatePair(type, options, context);
  const made = putPair(
    context,
    pair,
    { ...privateAttributes, ...described },
    { ...publicAttributes, ...described },
  );
  context.references.name(made.publicKeyUniqueIdentifier, "CreateKeyPairPublicKey");
  context.references.set(made.privateKeyUniqueIdentifier, "CreateKeyPairPrivateKey", "CreateKeyPair");
  return made;
};

export const CreateKeyPair: Operation<"CreateKeyPair"> = {
  handler: createKeyPair,
  needsValue: false,
  unattested: false,
  deferrable: true,
  undoable: true,
  roles: [],
  ticket: "none",
  policyName: undefined,
  shared: false,
};
