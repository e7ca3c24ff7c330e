import type { KeyObject } from "node:crypto";
import { equalConstantTime } from "#protocol/bytes.ts";
import { POLICY, policy, policyAttribute, VERIFIED, WORKING } from "#protocol/hierarchy/index.ts";
import { KmipError } from "#protocol/kmip/index.ts";
import type { Level } from "#protocol/level.ts";
import { type ManagedObject, stateAt } from "../store/managed-object.ts";
import { publicKeyOf } from "../store/material.ts";
import { policyEntry } from "../store/store-index.ts";
import type { Work } from "../store/work.ts";
import { isChain, isCurrent, isInForce } from "./chain.ts";
import { type ReadCertificate, readCertificate } from "./read-certificate.ts";

/**
 * Recipients: public keys that data keys may be wrapped to. The HSM verifies the certificate itself when the key is
 * registered, and looks again whenever it wraps. A hybrid recipient is two of them, of one instance: an ML-KEM-768 key, which is what a
 * request names, and the X25519 key to which it is bound when it is registered.
 */

const MIN_MODULUS = 3072;
const MIN_EXPONENT = 65537n;

/** Bits of keyUsage, as @peculiar/x509 numbers them. */
const KEY_ENCIPHERMENT = 4;
const KEY_AGREEMENT = 16;

/** By the type of a recipient's key: what its certificate has to say of the key's use. */
const USES: Readonly<Record<string, number>> = {
  rsa: KEY_ENCIPHERMENT,
  "ml-kem-768": KEY_ENCIPHERMENT,
  x25519: KEY_AGREEMENT,
};

/**
 * The policy attributes that mark `key` (a public key that is being registered) as a recipient. Its link must name a
 * certificate of the same owner over the same key, signed by an authority that the officer marked `POLICY.recipientAuthority`
 * and that the root certified. Throws `PermissionDenied` for the first thing that is wrong.
 */
export function verifyRecipient(key: ManagedObject, work: Work, now: Date) {
  const certificate = linkedFrom(key, "CertificateLink", work);
  if (!certificate || certificate.owner !== key.owner || certificate.objectType !== "Certificate")
    return refuse("a recipient needs a link to its certificate");
  if (!isInForce(certificate, now)) refuse("the certificate was revoked or destroyed");
  const leaf = readCertificate(certificate);
  if (leaf.certificate.ca || leaf.saysAuthority) refuse("the certificate is an authority's");
  if (!isCurrent(leaf, now)) refuse("the certificate is not valid now");
  const publicKey = publicKeyOf(key);
  const use = USES[publicKey.asymmetricKeyType ?? ""] ?? KEY_ENCIPHERMENT;
  if ((leaf.usages & use) === 0)
    refuse(`the certificate is not for key ${use === KEY_AGREEMENT ? "agreement" : "encipherment"}`);
  if (!equalConstantTime(spkiOf(publicKey), spkiOf(leaf.certificate.publicKey)))
    refuse("the certificate is over another key");
  checkStrength(publicKey);
  const authority = work
    .all([policyEntry(POLICY.recipientAuthority, "true")])
    .find((candidate) => isChain(leaf, candidate, work, now));
  if (!authority) return refuse("no recipients' authority signed the certificate");
  return [
    policy(POLICY.recipient, VERIFIED),
    policy(POLICY.recipientExpires, leaf.certificate.validToDate.toISOString()),
    policy(POLICY.recipientCertificate, certificate.uid),
    policy(POLICY.recipientIssuer, authority.uid),
    ...(publicKey.asymmetricKeyType === "ml-kem-768"
      ? [policy(POLICY.recipientAgreement, agreementOf(key, leaf, work).uid)]
      : []),
  ];
}

/** The X25519 key that an ML-KEM key is registered with: a recipient of the same owner, whose certificate names the same subject. */
function agreementOf(key: ManagedObject, leaf: ReadCertificate, work: Work): ManagedObject {
  const agreement = linkedFrom(key, "PublicKeyLink", work);
  if (!agreement || agreement.owner !== key.owner || !isRecipient(agreement))
    return refuse("an ML-KEM key needs a link to a recipient's X25519 key");
  if (publicKeyOf(agreement).asymmetricKeyType !== "x25519") refuse("the linked key is not on Curve25519");
  const certificate = work.get(policyAttribute(agreement.attributes, POLICY.recipientCertificate) ?? "");
  if (!certificate || readCertificate(certificate).certificate.subject !== leaf.certificate.subject)
    refuse("the linked key is another instance's");
  return agreement;
}

function linkedFrom(key: ManagedObject, type: string, work: Work): ManagedObject | undefined {
  const links = key.attributes.link?.filter(({ linkType }) => linkType === type) ?? [];
  const linked = links.length === 1 ? links[0]?.linkedObjectIdentifier : undefined;
  return typeof linked === "string" ? work.get(linked) : undefined;
}

/** Whether the HSM has found it to be one when it was registered. */
function isRecipient({ objectType, attributes }: ManagedObject): boolean {
  return objectType === "PublicKey" && policyAttribute(attributes, POLICY.recipient) === VERIFIED;
}

/** The X25519 key of a hybrid recipient, by its ML-KEM key; undefined of a recipient that is not hybrid. */
export function agreementKey({ attributes }: ManagedObject, work: Work): ManagedObject | undefined {
  const uid = policyAttribute(attributes, POLICY.recipientAgreement);
  if (uid === undefined) return undefined;
  return work.get(uid) ?? refuse("the recipient's other key is gone");
}

/** What a key's recipient has to be. */
interface Wanted {
  tenant: string | undefined;
  /** The release level that its certificate names; whichever where none is said. */
  level?: Level;
}

/**
 * Throws unless `key` is a recipient of that tenant now: verified when it was registered, with a chain that still holds.
 * Its certificate names the tenant as the one organization of its subject, and the level, where one is wanted, as the one
 * level among its policies. Both keys of a hybrid recipient have to be.
 */
export function checkRecipient(key: ManagedObject, wanted: Wanted, work: Work, now: Date): void {
  checkOne(key, wanted, work, now);
  const agreement = agreementKey(key, work);
  if (agreement) checkOne(agreement, wanted, work, now);
}

function checkOne(key: ManagedObject, { tenant, level }: Wanted, work: Work, now: Date): void {
  const { attributes } = key;
  if (!isRecipient(key)) refuse("not a registered recipient");
  const certificate = work.look(policyAttribute(attributes, POLICY.recipientCertificate) ?? "");
  const authority = work.look(policyAttribute(attributes, POLICY.recipientIssuer) ?? "");
  if (stateAt(key, now) !== WORKING) refuse("the recipient's key is not active");
  if (!certificate || !isInForce(certificate, now)) refuse("the recipient's certificate was revoked");
  const leaf = readCertificate(certificate);
  if (!isCurrent(leaf, now)) refuse("the recipient's certificate expired");
  if (!authority || !isChain(leaf, authority, work, now)) refuse("the recipient's chain ended");
  if (tenant === undefined) refuse("the key belongs to no tenant");
  const [organization, ...more] = leaf.organizations;
  if (organization !== tenant || more.length > 0) refuse("the recipient belongs to another tenant");
  if (level !== undefined && leaf.level !== level) refuse("the recipient was certified for another level");
}

/** A modulus or exponent that is small gives the wrapped key away to anyone who sees it. */
function checkStrength(key: KeyObject): void {
  const { modulusLength = 0, publicExponent = 0n } = key.asymmetricKeyDetails ?? {};
  const type = key.asymmetricKeyType ?? "";
  if (type !== "rsa" && Object.hasOwn(USES, type)) return;
  if (type !== "rsa" || modulusLength < MIN_MODULUS || publicExponent < MIN_EXPONENT)
    refuse("a recipient's key is RSA of 3072 bits or more, ML-KEM-768, or X25519");
}

function spkiOf(key: KeyObject): Uint8Array {
  return key.export({ format: "der", type: "spki" });
}

function refuse(message: string): never {
  throw new KmipError("PermissionDenied", `Not a recipient: ${message}`);
}
