import {
  EVERYBODY,
  IDENTITY,
  POLICY,
  policyAttribute,
  type Role,
  roleOf,
  usersOf,
  VERIFIED,
} from "#protocol/hierarchy/index.ts";
import { KmipError } from "#protocol/kmip/index.ts";
import type { ManagedObject } from "../store/managed-object.ts";
import type { IndexEntry } from "../store/store-index.ts";
import { CLASSES, classOf } from "./classes.ts";
import type { Permissions } from "./operation-policy.ts";
import { isRestricted } from "./roles.ts";
import type { OperationTraits } from "./traits.ts";

/** Who asks. */
export interface Subject {
  identity: string;
  role: Role;
  /** What the operation policies allow them, by the groups that they are in. */
  permissions: Permissions;
  /** The operations that there are. */
  operations: OperationTraits;
  /** Whether they came by a ticket with rights: they act for an owner, and are none. */
  limited?: boolean;
}

/** Whether the identity may ask for an operation at all. */
export function mayAsk({ role, operations }: Subject, operation: string): boolean {
  if (!isRestricted(role)) return true;
  return Object.hasOwn(operations, operation) && operations[operation]?.roles.includes(role) === true;
}

/** Refuses an operation that the identity may not ask for at all. */
export function checkOperation(subject: Subject, operation: string): void {
  if (!mayAsk(subject, operation)) throw new KmipError("PermissionDenied", "Not allowed for this identity");
}

/**
 * Refuses an operation on an object: a client that neither owns nor shares it learns nothing of it, one that shares it may
 * do no more than the shared operations.
 */
export function checkAccess(subject: Subject, object: ManagedObject, operation: string): void {
  if (mayDo(subject, object, operation)) return;
  const own = object.owner === subject.identity;
  const there = isRuled(subject, object)
    ? own || subject.permissions.allowsAny(object)
    : isShared(subject, object);
  if (!there) throw new KmipError("ObjectNotFound", "No such object");
  throw new KmipError("PermissionDenied", "Not allowed on this object");
}

/** Whether the operation is allowed on the object. Of what is shared, Get gives public material only (`release.ts`). */
export function mayDo(subject: Subject, object: ManagedObject, operation: string): boolean {
  const own = object.owner === subject.identity;
  if (isRuled(subject, object)) return subject.permissions.allows(object, operation, own);
  return own || (subject.operations[operation]?.shared === true && isShared(subject, object));
}

export function canSee(subject: Subject, object: ManagedObject): boolean {
  return mayDo(subject, object, "Locate");
}

/**
 * Index entries, of which an object that the subject can see has one of these sets; undefined where that cannot be told.
 * The objects themselves decide.
 */
export function visibleEntries({ identity, role, permissions }: Subject): IndexEntry[][] | undefined {
  if (role !== "user") return undefined;
  return [
    [["owner", identity]],
    // Some are shared by name.
    [["owner", IDENTITY.officer]],
    ...permissions
      .shared("Locate")
      .map(({ policy, objectType }): IndexEntry[] => [
        ...(policy === undefined ? [] : [["operationPolicyName", policy] as const]),
        ["objectType", objectType],
      ]),
  ];
}

/**
 * Whether operation policies rule what the subject does with the object: among ordinary clients, and nowhere near the
 * key hierarchy, whose rules no policy widens.
 */
export function isRuled({ role }: Subject, { owner, attributes }: ManagedObject): boolean {
  return role === "user" && roleOf(owner) === "user" && classOf(attributes) === undefined;
}

/** The subject as it makes an object in place of another, which belongs to the same owner. */
export function inPlaceOf(old: ManagedObject, subject: Subject): Subject {
  return { ...subject, identity: old.owner };
}

/** Whether the object is the subject's, to say what becomes of it. */
export function isOwner({ identity, limited }: Subject, { owner }: ManagedObject): boolean {
  return owner === identity && !limited;
}

/** A client that replaces what another owns gets it as it was: only owners decide what becomes of theirs. */
export function checkReplacing(subject: Subject, old: ManagedObject, changes: object): void {
  if (isOwner(subject, old)) return;
  if (Object.values(changes).some((value) => value !== undefined))
    throw new KmipError("PermissionDenied", "The attributes are the owner's to change");
}

/** Whether somebody who does not own an object may use it in the ways that are open to `Users`. */
function isShared({ identity, role }: Subject, { attributes }: ManagedObject): boolean {
  const keyClass = classOf(attributes);
  if (keyClass && !CLASSES[keyClass].sharedWith.includes(role)) return false;
  const users = policyAttribute(attributes, POLICY.users);
  if (users !== undefined) return usersOf(users).some((user) => user === EVERYBODY || user === identity);
  if (keyClass) return true;
  return role === "kms" && policyAttribute(attributes, POLICY.recipient) === VERIFIED;
}
