import "reflect-metadata";
import { type KeyObject, X509Certificate } from "node:crypto";
import * as x509 from "@peculiar/x509";
import { equalConstantTime } from "#protocol/bytes.ts";
import { POLICY, policy, policyAttribute, VERIFIED, WORKING } from "#protocol/hierarchy/index.ts";
import { KmipError } from "#protocol/kmip/index.ts";
import type { Level } from "#protocol/level.ts";
import { instanceLevel, parseCertificate } from "#protocol/pki/index.ts";
import { type ManagedObject, stateAt } from "../store/managed-object.ts";
import { certificateDer, publicKeyOf } from "../store/material.ts";
import { policyEntry } from "../store/store-index.ts";
import type { Work } from "../store/work.ts";
import { isChain, isCurrent, isInForce } from "./chain.ts";

/**
 * Recipients: public keys that data keys may be wrapped to. The HSM verifies the certificate itself when the key is
 * registered, and looks again whenever it wraps.
 */

const MIN_MODULUS = 3072;
const MIN_EXPONENT = 65537n;

/**
 * The policy attributes that mark `key` (a public key that is being registered) as a recipient. Its link must name a
 * certificate of the same owner over the same key, signed by an authority that the officer marked `POLICY.recipientAuthority`
 * and that the root certified. Throws `PermissionDenied` for the first thing that is wrong.
 */
export function verifyRecipient(key: ManagedObject, work: Work, now: Date) {
  const links = key.attributes.link?.filter(({ linkType }) => linkType === "CertificateLink") ?? [];
  const linked = links.length === 1 ? links[0]?.linkedObjectIdentifier : undefined;
  const certificate = typeof linked === "string" ? work.get(linked) : undefined;
  if (!certificate || certificate.owner !== key.owner || certificate.objectType !== "Certificate")
    return refuse("a recipient needs a link to its certificate");
  if (!isInForce(certificate, now)) refuse("the certificate was revoked or destroyed");
  const leaf = new X509Certificate(certificateDer(certificate));
  if (leaf.ca || saysAuthority(leaf)) refuse("the certificate is an authority's");
  if (!isCurrent(leaf, now)) refuse("the certificate is not valid now");
  if (!mayEncipherKeys(leaf)) refuse("the certificate is not for key encipherment");
  const spki = publicKeyOf(key);
  if (!equalConstantTime(spkiOf(spki), spkiOf(leaf.publicKey))) refuse("the certificate is over another key");
  checkStrength(spki);
  const authority = work
    .all([policyEntry(POLICY.recipientAuthority, "true")])
    .find((candidate) => isChain(leaf, candidate, work, now));
  if (!authority) return refuse("no recipients' authority signed the certificate");
  return [
    policy(POLICY.recipient, VERIFIED),
    policy(POLICY.recipientExpires, leaf.validToDate.toISOString()),
    policy(POLICY.recipientCertificate, certificate.uid),
    policy(POLICY.recipientIssuer, authority.uid),
  ];
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
 * level among its policies.
 */
export function checkRecipient(key: ManagedObject, { tenant, level }: Wanted, work: Work, now: Date): void {
  const { attributes } = key;
  if (key.objectType !== "PublicKey" || policyAttribute(attributes, POLICY.recipient) !== VERIFIED)
    refuse("not a registered recipient");
  const certificate = work.get(policyAttribute(attributes, POLICY.recipientCertificate) ?? "");
  const authority = work.get(policyAttribute(attributes, POLICY.recipientIssuer) ?? "");
  if (stateAt(key, now) !== WORKING) refuse("the recipient's key is not active");
  if (!certificate || !isInForce(certificate, now)) refuse("the recipient's certificate was revoked");
  const leaf = new X509Certificate(certificateDer(certificate));
  if (!isCurrent(leaf, now)) refuse("the recipient's certificate expired");
  if (!authority || !isChain(leaf, authority, work, now)) refuse("the recipient's chain ended");
  if (tenant === undefined) refuse("the key belongs to no tenant");
  if (!isOrganization(leaf, tenant)) refuse("the recipient belongs to another tenant");
  if (level !== undefined && !isForLevel(leaf, level))
    refuse("the recipient was certified for another level");
}

/** What cannot be read as an instance's certificate was made for no level. */
function isForLevel(leaf: X509Certificate, level: Level): boolean {
  try {
    return instanceLevel(parseCertificate(new Uint8Array(leaf.raw))) === level;
  } catch {
    return false;
  }
}

function isOrganization(leaf: X509Certificate, tenant: string): boolean {
  const organizations = new x509.X509Certificate(leaf.raw).subjectName.getField("O");
  return organizations.length === 1 && organizations[0] === tenant;
}

/** OpenSSL calls nothing an authority that lacks keyCertSign; the constraint alone is enough to refuse. */
function saysAuthority(certificate: X509Certificate): boolean {
  const constraints = new x509.X509Certificate(certificate.raw).getExtension(x509.BasicConstraintsExtension);
  return constraints?.ca ?? false;
}

function mayEncipherKeys(certificate: X509Certificate): boolean {
  const extension = new x509.X509Certificate(certificate.raw).getExtension(x509.KeyUsagesExtension);
  return extension !== null && (extension.usages & x509.KeyUsageFlags.keyEncipherment) !== 0;
}

/** A modulus or exponent that is small gives the wrapped key away to anyone who sees it. */
function checkStrength(key: KeyObject): void {
  const { modulusLength = 0, publicExponent = 0n } = key.asymmetricKeyDetails ?? {};
  if (key.asymmetricKeyType !== "rsa" || modulusLength < MIN_MODULUS || publicExponent < MIN_EXPONENT)
    refuse("a recipient's key is RSA of 3072 bits or more");
}

function spkiOf(key: KeyObject): Uint8Array {
  return key.export({ format: "der", type: "spki" });
}

function refuse(message: string): never {
  throw new KmipError("PermissionDenied", `Not a recipient: ${message}`);
}
