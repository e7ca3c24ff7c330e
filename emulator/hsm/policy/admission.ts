import {
  isKeyThumbprint,
  isPolicy,
  isReservedName,
  isSignType,
  KEY,
  KEY_PAIR,
  type KeyClass,
  POLICY,
  policy,
  policyAttribute,
  USAGE,
  VENDOR,
} from "#protocol/hierarchy/index.ts";
import { type Attributes, attributeSpelling, KmipError } from "#protocol/kmip/index.ts";
import { isLevel } from "#protocol/level.ts";
import type { ManagedObject, ObjectType } from "../store/managed-object.ts";
import { canSee, type Subject } from "./access.ts";
import { checkRequirement } from "./attestation.ts";
import { isForRecipient } from "./cek.ts";
import { CLASSES, classOf, levelOf } from "./classes.ts";
import { isRestricted } from "./roles.ts";
import { signatureKind } from "./signature-key.ts";

/**
 * What comes into the HSM, and with which attributes. Requests can only tighten what the policy says; the policy
 * attributes come from the server, or from the officer.
 */

type Operation =
  | "Create"
  | "CreateKeyPair"
  | "Register"
  | "Import"
  | "Attribute"
  | "DeriveKey"
  | "ReKey"
  | "Certify"
  | "JoinSplitKey";

/** Attributes that the restricted identities may give an object; whatever else they send is refused. */
const OPEN_ATTRIBUTES: ReadonlySet<string> = new Set([
  "objectType",
  "cryptographicAlgorithm",
  "cryptographicLength",
  "cryptographicUsageMask",
  "cryptographicParameters",
  "cryptographicDomainParameters",
  "certificateType",
  "name",
  "activationDate",
  "deactivationDate",
  "processStartDate",
  "protectStopDate",
  "sensitive",
  "extractable",
  "link",
  "comment",
  "description",
  "vendorAttributes",
]);

/** How policy attributes begin in 1.x. */
const POLICY_SPELLING = `x-${VENDOR}-`;

/**
 * Checks the attributes of a request against the identity. Returns the identifier in the vendor attribute `Parent`,
 * where there is one; it and nothing else is taken from policy attributes of a restricted identity.
 */
export function admitAttributes(
  subject: Subject,
  operation: Operation,
  objectType: ObjectType,
  attributes: Attributes,
): { parent?: string } {
  const restricted = isRestricted(subject.role);
  if (restricted)
    for (const [attribute, value] of Object.entries(attributes))
      if (value !== undefined && !OPEN_ATTRIBUTES.has(attribute))
        refuse(`Attribute ${attribute} is not yours to set`);
  if (subject.role !== "officer" && attributes.name?.some(({ nameValue }) => isReservedName(nameValue)))
    refuse("The name is reserved");
  const { operationPolicyName } = attributes;
  if (operationPolicyName !== undefined && !subject.permissions.knows(operationPolicyName))
    throw new KmipError("InvalidField", "Not an operation policy of this server");
  let parent: string | undefined;
  const seen = new Set<string>();
  for (const attribute of attributes.vendorAttributes ?? []) {
    const { attributeName, attributeValue } = attribute;
    if (!isPolicy(attribute)) {
      // Vendor x, name Coffer-Class: a client of 1.x would read it as ours.
      if (attributeSpelling(attribute).startsWith(POLICY_SPELLING))
        refuse("The attribute reads as policy in 1.x");
      if (restricted) refuse("Vendor attributes are not yours to set");
      continue;
    }
    if (seen.has(attributeName)) refuse("A policy attribute twice");
    seen.add(attributeName);
    if (typeof attributeValue !== "string")
      throw new KmipError("InvalidDataType", "Policy attributes are text");
    // Owners bind their own objects: it only takes away.
    if (attributeName === POLICY.attestation && !restricted) checkRequirement(attributeValue);
    else if (subject.role === "officer") admitOfficers(operation, objectType, attributeName, attributeValue);
    else if (restricted && isMaking(operation) && attributeName === POLICY.parent) parent = attributeValue;
    else refuse("Policy attributes are the officer's to set");
  }
  if (seen.has(POLICY.attestation) && seen.has(POLICY.class))
    refuse("The hierarchy's own policy releases its keys");
  if (operation !== "Attribute" && seen.has(POLICY.tenant) && !seen.has(POLICY.class))
    refuse("Only keys of the hierarchy have a tenant");
  if (operation !== "Attribute" && seen.has(POLICY.operations) && !seen.has(POLICY.class))
    refuse("A master key alone says whether there are operations below it");
  if (seen.has(POLICY.level) && !seen.has(POLICY.class)) refuse("Only a master key is made for a level");
  return parent === undefined ? {} : { parent };
}

/** A key that is made here has the parent that the request names. */
function isMaking(operation: Operation): boolean {
  return operation === "Create" || operation === "CreateKeyPair";
}

/** Fits an organization's name in a certificate (RFC 5280, ub-organization-name), and reads in one way only. */
const TENANT = /^[\x21-\x7e]([\x20-\x7e]{0,62}[\x21-\x7e])?$/;

/**
 * One of the identities of `Users`, as it is: a certificate's, or a principal's (`·name`), whose name may have whatever
 * neither ends the identity nor reads as nothing.
 */
const USER = "(?:[A-Za-z0-9._-]+|·[^\\s,\\p{C}](?:[^,\\p{C}]*[^\\s,\\p{C}])?)";
const USERS = new RegExp(`^(?:\\*|${USER}(?:\\s*,\\s*${USER})*)?$`, "u");

/**
 * What the officer may set: no class but that of a master key made here, and nothing that the server attests. What an
 * object has already is kept by `checkKept`.
 */
export function admitOfficers(
  operation: Operation,
  objectType: ObjectType,
  name: string,
  value: string,
): void {
  if (name === POLICY.users && USERS.test(value)) return;
  if (name === POLICY.recipientAuthority && objectType === "Certificate" && /^(true|false)$/.test(value))
    return;
  const isMaster =
    (operation === "Create" && objectType === "SymmetricKey") ||
    (operation === "CreateKeyPair" && objectType === "PrivateKey");
  if (name === POLICY.class && value === "master" && isMaster) return;
  if (name === POLICY.class && value === "seed-hmac" && operation === "Create" && isMaster) return;
  if (operation === "Register" && objectType === "PrivateKey") {
    if (name === POLICY.class && value === "recovery") return;
    if (name === POLICY.tenant && TENANT.test(value)) return;
    if (name === POLICY.restoredFor && isKeyThumbprint(value)) return;
  }
  // For good, and of a master key that is there already (`checkKept`).
  if (name === POLICY.recovery && operation === "Attribute" && isKeyThumbprint(value)) return;
  const making = operation === "Attribute" || operation === "Create" || operation === "CreateKeyPair";
  const hasTenant = (objectType === "SymmetricKey" && making) || isMaster;
  if (name === POLICY.tenant && hasTenant && TENANT.test(value)) return;
  const isKey = objectType === "SymmetricKey" || objectType === "PrivateKey";
  if (name === POLICY.operations && isKey && /^(true|false)$/.test(value)) {
    if (operation === "Attribute" || isMaster) return;
  }
  // For good: what was wrapped below a key was wrapped for its level.
  if (name === POLICY.level && isMaster && isLevel(value)) return;
  if (name === POLICY.signType && objectType === "PrivateKey" && making && isSignType(value)) return;
  refuse("Not a policy attribute that can be set here");
}

/**
 * The attributes of a new key of a class: the request, tightened by the class and its parent. A private key is the half of a
 * pair that stands for both.
 */
export function classAttributes(
  keyClass: KeyClass,
  request: Attributes,
  parent?: ManagedObject,
  objectType: ObjectType = "SymmetricKey",
): Attributes {
  const rule = CLASSES[keyClass];
  const isPair = objectType === "PrivateKey";
  if (isPair && !rule.pairs) refuse("Keys of this class are symmetric");
  const kind = keyClass === "signature" ? signatureKind(request) : isPair ? KEY_PAIR : KEY;
  const { cryptographicAlgorithm: algorithm, cryptographicLength: length } = request;
  if (algorithm !== undefined && algorithm !== kind.cryptographicAlgorithm)
    refuse(`Keys of the hierarchy are AES keys, or RSA pairs`);
  const bits = "cryptographicLength" in kind ? kind.cryptographicLength : undefined;
  if (length !== undefined && bits !== undefined && length !== bits)
    refuse(`Keys of the hierarchy have ${bits} bits`);
  if (request.sensitive === false) refuse("Keys of the hierarchy are sensitive");
  const extractable = rule.extractableAt.includes(levelOf((parent ?? { attributes: request }).attributes));
  if (request.extractable === true && !extractable) refuse("This key cannot leave");
  const allowed: readonly unknown[] = USAGE[keyClass];
  const usage = (request.cryptographicUsageMask ?? USAGE[keyClass]).filter((use) => allowed.includes(use));
  if (usage.length === 0 && allowed.length > 0)
    throw new KmipError("IncompatibleCryptographicUsageMask", "Nothing of that use is left by the policy");
  const group = parent?.attributes.objectGroup;
  const inherited = [POLICY.tenant, POLICY.level, POLICY.restoredFor].flatMap((name) => {
    const value = parent && policyAttribute(parent.attributes, name);
    return value === undefined ? [] : [policy(name, value)];
  });
  return {
    ...request,
    ...kind,
    cryptographicUsageMask: usage,
    sensitive: true,
    extractable: extractable && request.extractable !== false,
    ...(group ? { objectGroup: group } : {}),
    vendorAttributes: [
      ...(request.vendorAttributes ?? []).filter(
        (one) =>
          !isPolicy(one) || (one.attributeName !== POLICY.class && one.attributeName !== POLICY.parent),
      ),
      policy(POLICY.class, keyClass),
      ...inherited,
      ...(parent ? [policy(POLICY.parent, parent.uid)] : []),
    ],
  };
}

/**
 * The class of a key made (`parentFor`) or imported (`unwrapsFor`) under `parent`; refused where the policy has none. `kind`: which
 * of its kinds of children.
 */
export function childClass(
  subject: Subject,
  parent: ManagedObject,
  way: "parentFor" | "unwrapsFor",
  kind: "child" | "secondChild" | "cek" | "app-specific" = "child",
): KeyClass {
  const { identity, role } = subject;
  if (way === "parentFor" && isForRecipient(subject, parent)) return kind === "app-specific" ? kind : "cek";
  const parentClass = classOf(parent.attributes);
  const rule = parentClass && CLASSES[parentClass];
  if (!rule?.child || !rule[way].includes(role)) return refuse("Not a parent for keys of yours");
  const shared = rule.sharedWith.includes(role) && canSee(subject, parent);
  if (!shared && parent.owner !== identity) return refuse("Not a parent for keys of yours");
  return (kind === "app-specific" ? undefined : rule[kind]) ?? refuse("Not a parent for keys of this kind");
}

/** Whether a key under a parent is of its second kind: it is for what those are for, and for nothing else. */
export function isSecondChild(
  { cryptographicUsageMask: uses = [] }: Attributes,
  { attributes }: ManagedObject,
): boolean {
  const parentClass = classOf(attributes);
  const second = parentClass && CLASSES[parentClass].secondChild;
  const allowed: readonly unknown[] = second ? USAGE[second] : [];
  return uses.length > 0 && uses.every((use) => allowed.includes(use));
}

function refuse(message: string): never {
  throw new KmipError("PermissionDenied", message);
}
