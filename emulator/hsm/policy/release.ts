import {
  isLive,
  POLICY,
  PRIVATE_UNDER_PARENT,
  policyAttribute,
  TO_HYBRID_RECIPIENT,
} from "#protocol/hierarchy/index.ts";
import { type KeyWrappingSpecification, KmipError } from "#protocol/kmip/index.ts";
import { type ManagedObject, type ObjectType, stateAt } from "../store/managed-object.ts";
import type { Work } from "../store/work.ts";
import { canSee, checkAccess, isRuled, mayDo, type Subject } from "./access.ts";
import { checkAppSpecificWraps, checkUnderAppSpecific } from "./app-specific.ts";
import { checkCekWraps, recipientOf } from "./cek.ts";
import { CLASSES, type ClassRule, classOf, levelOf } from "./classes.ts";
import { checkMasterCekWraps, checkSigningWraps } from "./master-cek.ts";
import { agreementKey, checkRecipient } from "./recipient.ts";
import { checkRestoredFor } from "./recovery.ts";
import { isRestricted } from "./roles.ts";
import { checkWrapsSecret } from "./secrecy.ts";
import { checkAccountWraps } from "./sharing.ts";
import { isSuccessorOf } from "./succession.ts";
import { checkUnderParent, isOaep256, saysExactly } from "./under-parent.ts";

/** What leaves the HSM: Get and Export pass through here, after `checkAccess`. */

/** Kinds of object that hold nothing secret. Opaque objects come from the officer or from their owner. */
const PUBLIC: ReadonlySet<ObjectType> = new Set<ObjectType>([
  "Certificate",
  "CertificateRequest",
  "PublicKey",
  "OpaqueObject",
  "Template",
]);

export interface Wrapping {
  key: ManagedObject;
  specification: KeyWrappingSpecification;
}

/** Throws unless `object` may leave for `subject` in plain (no `wrapping`) or wrapped. */
export function checkRelease(
  subject: Subject,
  object: ManagedObject,
  wrapping: Wrapping | undefined,
  work: Work,
  now: Date,
): void {
  const { attributes, objectType } = object;
  if (wrapping) checkWrappingKey(subject, wrapping.key, object, work);
  if (PUBLIC.has(objectType)) {
    if (wrapping && subject.role !== "user") refuse("Public material needs no wrapping");
    // It is nobody's secret, but a client that asks for this is taken at its word (BL-M-12).
    if (attributes.sensitive && !wrapping) throw new KmipError("Sensitive", "The object is sensitive");
    return;
  }
  // However it is asked for (Export, Create Split Key): what gives it away is Get.
  if (!mayTake(subject, object)) refuse("Secret material is its owner's");
  if (subject.role === "officer") refuse("The officer gets no secret material");
  const keyClass = classOf(attributes);
  // As it came, wrapped by what is not asked here.
  if (keyClass && CLASSES[keyClass].keptFor.includes(subject.role)) {
    if (wrapping) refuse("Kept as it is wrapped");
    checkNotRevoked(object, now);
    return;
  }
  // It stands in the header of a message for everybody to read (`data-operations.ts`).
  if (keyClass === "commitment") {
    if (wrapping) refuse("Public, and not wrapped");
    checkNotRevoked(object, now);
    return;
  }
  if (keyClass) {
    if (!CLASSES[keyClass].releasedBy.includes(subject.role)) refuse("Not released to this identity");
    if (!wrapping) throw new KmipError("Sensitive", "Released wrapped only");
    checkClassRelease(object, CLASSES[keyClass], wrapping, work, now);
  } else if (isRestricted(subject.role)) refuse("Not released to this identity");
  // A pad that someone has read twice is no secret (TC-OTP-4).
  if (attributes.cryptographicAlgorithm === "OneTimePad") refuse("One-time pads stay here");
  if (attributes.sensitive && !wrapping) throw new KmipError("Sensitive", "The object is sensitive");
  if (attributes.sensitive && wrapping) checkWrapsSecret(wrapping.key);
  if (attributes.extractable === false)
    throw new KmipError("NotExtractable", "The object is not extractable");
}

/**
 * Secret material is for its owner, and for whom an operation policy gives it to, but never that of a deployment. The
 * officer's master keys are for those with whom their class is shared.
 */
function mayTake(subject: Subject, object: ManagedObject): boolean {
  if (isRuled(subject, object)) return mayDo(subject, object, "Get");
  const keyClass = classOf(object.attributes);
  const shared = keyClass !== undefined && CLASSES[keyClass].sharedWith.includes(subject.role);
  return object.owner === subject.identity || (shared && canSee(subject, object));
}

/**
 * A key of the hierarchy wraps its own children and nothing else: whatever it wrapped could be imported under it,
 * and a known plaintext would become a key. A master key also wraps the children of the one that it replaced, for the
 * identity that unwraps them.
 */
function checkWrappingKey(subject: Subject, key: ManagedObject, object: ManagedObject, work: Work): void {
  // Of a key that everybody may read nobody is to use up what is left of its uses.
  if (key.attributes.usageLimits && key.owner !== subject.identity && isRuled(subject, key))
    checkAccess(subject, key, "GetUsageAllocation");
  const keyClass = classOf(key.attributes);
  const parent = policyAttribute(object.attributes, POLICY.parent);
  if (!keyClass || parent === key.uid) return;
  if (keyClass === "cek") {
    checkCekWraps(object);
    return;
  }
  if (keyClass === "app-specific") {
    checkAppSpecificWraps(object);
    return;
  }
  if (keyClass === "signing") {
    checkSigningWraps(key, object);
    return;
  }
  if (keyClass === "master-cek") {
    checkMasterCekWraps(subject, key, object, work);
    return;
  }
  if (keyClass === "account") {
    checkAccountWraps(key, object, work);
    return;
  }
  if (!CLASSES[keyClass].unwrapsFor.includes(subject.role) || !isSuccessorOf(key, parent, work))
    refuse("A key of the hierarchy wraps its own children only");
}

function checkClassRelease(
  object: ManagedObject,
  rule: ClassRule,
  { key, specification }: Wrapping,
  work: Work,
  now: Date,
): void {
  const parameters = specification.encryptionKeyInformation?.cryptographicParameters;
  if (specification.wrappingMethod !== "Encrypt" || specification.macSignatureKeyInformation)
    refuse("Released by encryption only");
  if (specification.encodingOption !== "NoEncoding" || namesAttributes(specification))
    refuse("Released as bare key bytes only");
  checkNotRevoked(object, now);
  const parentClass = classOf(key.attributes);
  if (parentClass === "cek") {
    checkToRecipient(object, rule, recipientOf(key, work), work, now);
    if (parameters?.blockCipherMode !== PRIVATE_UNDER_PARENT.blockCipherMode)
      refuse("Released under a content-encryption key by AES-GCM only");
    return;
  }
  if (parentClass === "app-specific") {
    checkToRecipient(object, rule, recipientOf(key, work), work, now);
    checkUnderAppSpecific(object, parameters);
    return;
  }
  if (parentClass) {
    // checkWrappingKey has seen to it that this is the parent, or has taken its place.
    const keyClass = classOf(object.attributes);
    const { child, secondChild, cek } = CLASSES[parentClass];
    const isChild = keyClass === child || keyClass === secondChild || keyClass === cek;
    if (!rule.releasedTo.includes("parent") || !isChild) refuse("Not released to its parent");
    checkUnderParent(
      { objectType: object.objectType, keyClass },
      { objectType: key.objectType, keyClass: parentClass },
      parameters,
    );
    return;
  }
  const own = classOf(object.attributes);
  if (agreementKey(key, work)) {
    // Enc(master), Enc(account) and what serves them go by RSA-OAEP.
    if (own !== "data" || !saysExactly(parameters, TO_HYBRID_RECIPIENT))
      refuse("A hybrid recipient gets data keys, by both of its keys");
    checkToRecipient(object, rule, key, work, now);
    return;
  }
  if (!isOaep256(parameters)) refuse("Released to recipients by RSA-OAEP with SHA-256 only");
  // It is worth what it wraps, and that is asked for its recipient.
  if ((own === "cek" || own === "app-specific") && recipientOf(object, work).uid === key.uid) return;
  checkToRecipient(object, rule, key, work, now);
}

/** Throws unless the object may go to this recipient, at its level and of its tenant. */
function checkToRecipient(
  object: ManagedObject,
  rule: ClassRule,
  recipient: ManagedObject,
  work: Work,
  now: Date,
): void {
  const level = levelOf(object.attributes);
  if (!rule.releasedToRecipientAt.includes(level)) refuse("Not released to recipients at this level");
  const tenant = policyAttribute(object.attributes, POLICY.tenant);
  checkRecipient(recipient, { tenant, ...(rule.recipientNamesLevel && { level }) }, work, now);
  if (classOf(object.attributes) === "restored") checkRestoredFor(object, recipient);
}

function checkNotRevoked(object: ManagedObject, now: Date): void {
  if (!isLive(stateAt(object, now))) throw new KmipError("WrongKeyLifecycleState", "The key was revoked");
}

/** Whether attributes are to be wrapped with the key. */
export function namesAttributes({ attributeName = [], attributeReference = [] }: KeyWrappingSpecification) {
  return attributeName.length + attributeReference.length > 0;
}

function refuse(message: string): never {
  throw new KmipError("PermissionDenied", message);
}
