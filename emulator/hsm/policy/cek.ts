import { POLICY, policyAttribute, VERIFIED } from "#protocol/hierarchy/index.ts";
import { KmipError } from "#protocol/kmip/index.ts";
import type { ManagedObject } from "../store/managed-object.ts";
import type { Work } from "../store/work.ts";
import type { Subject } from "./access.ts";
import { CLASSES, classOf } from "./classes.ts";

/**
 * Content-encryption keys: the private half of a pair is longer than an RSA key encrypts (RFC 8017 §7.1.1), so it goes to a
 * recipient under an AES key that was made here for this recipient, as in CMS (RFC 5652 §6). Such a key is never imported, leaves to
 * its recipient alone and wraps private halves that may go there; so nobody but the recipient can have it.
 */

/** Whether a key that this identity makes under `parent` is one, or an app-specific one (`app-specific.ts`). */
export function isForRecipient({ role }: Subject, { attributes }: ManagedObject): boolean {
  return policyAttribute(attributes, POLICY.recipient) === VERIFIED && CLASSES.cek.releasedBy.includes(role);
}

/** The recipient for whom a key was made. */
export function recipientOf(made: ManagedObject, work: Work): ManagedObject {
  const recipient = work.get(policyAttribute(made.attributes, POLICY.parent) ?? "");
  if (!recipient) throw new KmipError("PermissionDenied", "Its recipient is gone");
  return recipient;
}

/** Throws unless `cek` may wrap this: the private half of a key of the hierarchy. Whether that may leave is asked elsewhere. */
export function checkCekWraps(object: ManagedObject): void {
  if (object.objectType !== "PrivateKey" || classOf(object.attributes) === undefined)
    throw new KmipError("PermissionDenied", "It wraps private halves of the hierarchy only");
}
