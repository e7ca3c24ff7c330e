import { KmipError } from "#protocol/kmip/index.ts";
import type { ManagedObject } from "../managed-object.ts";
import { CLASSES, classOf, policyAttribute } from "./classes.ts";
import { mayAsk, type Role } from "./roles.ts";

/** Who asks. */
export interface Subject {
  identity: string;
  role: Role;
}

/** What `Users` may do with an object that they do not own. `Get` gives public material only (`release.ts`). */
const SHARED_OPERATIONS: ReadonlySet<string> = new Set([
  "Locate",
  "GetAttributes",
  "GetAttributeList",
  "Get",
  "Check",
  "Sign",
  "SignatureVerify",
  "Validate",
]);

/** Refuses an operation that the identity may not ask for at all. */
export function checkOperation({ role }: Subject, operation: string): void {
  if (!mayAsk(role, operation)) throw new KmipError("PermissionDenied", "Not allowed for this identity");
}

/**
 * Refuses an operation on an object: whoever neither owns nor shares it learns nothing of it, whoever shares it may
 * do no more than the shared operations.
 */
export function checkAccess(subject: Subject, object: ManagedObject, operation: string): void {
  if (object.owner === subject.identity) return;
  if (!isShared(subject, object)) throw new KmipError("ObjectNotFound", "No such object");
  if (!SHARED_OPERATIONS.has(operation))
    throw new KmipError("PermissionDenied", "Not allowed on this object");
}

export function canSee(subject: Subject, object: ManagedObject): boolean {
  return object.owner === subject.identity || isShared(subject, object);
}

/** Whether somebody who does not own an object may use it in the ways that are open to `Users`. */
function isShared({ identity, role }: Subject, { attributes }: ManagedObject): boolean {
  const users = policyAttribute(attributes, "Users");
  if (users !== undefined) return usersOf(users).some((user) => user === "*" || user === identity);
  const keyClass = classOf(attributes);
  if (keyClass) return CLASSES[keyClass].sharedWith.includes(role);
  return role === "kms" && policyAttribute(attributes, "Recipient") === "verified";
}

/** The identities of a `Users` attribute: comma list, or `*`. */
export function usersOf(text: string): string[] {
  return text
    .split(",")
    .map((user) => user.trim())
    .filter((user) => user !== "");
}
