import { createHash } from "node:crypto";
import type { Attributes } from "#protocol/kmip/index.ts";
import { isGuessable } from "../policy/secrecy.ts";
import { counted } from "../policy/usage-limits.ts";
import { type ManagedObject, stateAt } from "../store/managed-object.ts";
import { withIndexes } from "./attribute-instances.ts";

/** All attributes of an object as a client sees them now. */
export function clientAttributes(object: ManagedObject, now: Date): Attributes {
  const { uid, objectType } = object;
  const { digest, ...others } = withIndexes(object);
  return {
    uniqueIdentifier: uid,
    objectType,
    ...(digest && !isGuessable(object) ? { digest } : {}),
    ...others,
    // Of an object from before a missing Count was written down.
    ...(others.usageLimits ? { usageLimits: counted(others.usageLimits) } : {}),
    state: stateAt(object, now),
    shortUniqueIdentifier: shortIdentifier(uid),
  };
}

/** KMIP 2.1 §4.56 Short Unique Identifier: 32 bytes, whatever the length of the identifier that they follow from (TC-IMPEXP-3). */
function shortIdentifier(uid: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(createHash("sha256").update(uid).digest());
}
