import { type KeyBlock, KmipError } from "#protocol/kmip/index.ts";
import { childClass } from "../policy/admission.ts";
import { classOf } from "../policy/classes.ts";
import type { ManagedObject } from "../store/managed-object.ts";
import type { Context } from "./context.ts";
import { objectFor } from "./object-for.ts";
import { checkUsable } from "./usage.ts";

/** The resident key that the key block names, if the asker may unwrap with it now. */
export function unwrappingKey({ keyWrappingData }: KeyBlock, context: Context): ManagedObject {
  const identifier = keyWrappingData?.encryptionKeyInformation?.uniqueIdentifier;
  if (identifier === undefined) throw new KmipError("MissingData", "The unwrapping key is not named");
  const key = objectFor(context, identifier, "Get");
  const keyClass = classOf(key.attributes);
  if (keyClass) childClass(context.subject, key, "unwrapsFor");
  else if (key.owner !== context.subject.identity)
    throw new KmipError("PermissionDenied", "Not your unwrapping key");
  checkUsable(key, "UnwrapKey", context.now);
  return key;
}
