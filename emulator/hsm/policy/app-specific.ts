import { PRIVATE_UNDER_PARENT, UNDER_PARENT } from "#protocol/hierarchy/index.ts";
import { type Attributes, type CryptographicParameters, KmipError } from "#protocol/kmip/index.ts";
import type { ManagedObject } from "../store/managed-object.ts";
import { classOf } from "./classes.ts";

/**
 * A symmetric app-specific key (W1): the fourth key of the hierarchy, of one instance. It is made here for a recipient, leaves to this
 * recipient alone, and wraps master keys that may go there, and nothing else; it opens nothing here. So what it wraps is as good as
 * encrypted to the recipient itself, which is looked at again each time.
 */

/** Whether the key that is asked for under a recipient is one: it will unwrap, in the instance. */
export function isAppSpecific({ cryptographicUsageMask: uses = [] }: Attributes): boolean {
  return uses.includes("UnwrapKey");
}

/** Throws unless it may wrap this. Whether that may leave to its recipient is asked elsewhere. */
export function checkAppSpecificWraps(object: ManagedObject): void {
  if (classOf(object.attributes) !== "master") refuse("An app-specific key wraps master keys only");
}

/** A symmetric master key by AES-KW, the private half of one by AES-GCM. */
export function checkUnderAppSpecific(
  { objectType }: ManagedObject,
  parameters: CryptographicParameters | undefined,
): void {
  const mode = objectType === "PrivateKey" ? PRIVATE_UNDER_PARENT : UNDER_PARENT;
  if (parameters?.blockCipherMode !== mode.blockCipherMode)
    refuse("Not how a master key is wrapped by an app-specific key");
}

function refuse(message: string): never {
  throw new KmipError("PermissionDenied", message);
}
