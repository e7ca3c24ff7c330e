import { KmipError } from "#protocol/kmip/index.ts";
import { inPlaceOf } from "../policy/access.ts";
import { keyBlockOf } from "../store/material.ts";
import type { Handler } from "./handler.ts";
import { newIdentifier } from "./identifier.ts";
import { keyLength } from "./key-length.ts";
import { putNew } from "./new-object.ts";
import { objectFor } from "./object-for.ts";
import type { Operation } from "./operation.ts";
import { checkReplaceable, giveAwayName, linkReplacement, replacementAttributes } from "./replacement.ts";

/** Re-key (KMIP 2.1 §6.1.46): a new symmetric key in place of another, which stays under its identifier. */
const reKey: Handler<"ReKey"> = ({ uniqueIdentifier, offset, attributes }, context) => {
  const old = objectFor(context, uniqueIdentifier, "ReKey");
  if (old.objectType !== "SymmetricKey") throw new KmipError("InvalidObjectType", "Not a symmetric key");
  checkReplaceable(old, context);
  keyBlockOf(old);
  const wanted = replacementAttributes(old, attributes, offset, context);
  const { bytes, length } = keyLength(wanted);
  giveAwayName(old, context);
  const next = putNew(
    { ...context, subject: inPlaceOf(old, context.subject) },
    {
      uid: newIdentifier(context),
      objectType: "SymmetricKey",
      attributes: { ...wanted, cryptographicLength: length, keyFormatType: "Raw" },
      made: true,
      value: {
        symmetricKey: {
          keyBlock: {
            keyFormatType: "Raw",
            keyValue: { keyMaterial: context.random(bytes) },
            cryptographicAlgorithm: wanted.cryptographicAlgorithm,
            cryptographicLength: length,
          },
        },
      },
    },
  );
  linkReplacement(old, next, context);
  context.references.set(next.uid, "ReKey");
  return { uniqueIdentifier: next.uid };
};

export const ReKey: Operation<"ReKey"> = {
  handler: reKey,
  needsValue: true,
  unattested: false,
  deferrable: true,
  undoable: true,
  roles: [],
  ticket: "none",
  policyName: "REKEY",
  shared: false,
};
