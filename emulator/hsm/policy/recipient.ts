import "reflect-metadata";
import { type KeyObject, X509Certificate } from "node:crypto";
import * as x509 from "@peculiar/x509";
import { equalConstantTime } from "#protocol/bytes.ts";
import { KmipError } from "#protocol/kmip/index.ts";
import { isDestroyed, type ManagedObject, stateAt } from "../managed-object.ts";
import { certificateDer, publicKeyOf } from "../material.ts";
import type { Work } from "../work.ts";
import { policy } from "./admission.ts";
import { policyAttribute } from "./classes.ts";

/**
 * Recipients: public keys that data keys may be wrapped to. The HSM verifies the certificate itself when the key is
 * registered, and looks again whenever it wraps.
 */

const LEAST_MODULUS = 3072;
const LEAST_EXPONENT = 65537n;

/**
 * The policy attributes that mark `key` (a public key that is being registered) as a recipient. Its link must name a
 * certificate of the same owner over the same key, signed by a certificate that the officer marked `RecipientCA`.
 * Throws `PermissionDenied` for the first thing that is wrong.
 */
export function verifyRecipient(key: ManagedObject, work: Work, now: Date) {
  const links = key.attributes.link?.filter(({ linkType }) => linkType === "CertificateLink") ?? [];
  const linked = links.length === 1 ? links[0]!.linkedObjectIdentifier : undefined;
  const certificate = typeof linked === "string" ? work.get(linked) : undefined;
  if (!certificate || certificate.owner !== key.owner || certificate.objectType !== "Certificate")
    return refuse("a recipient needs a link to its certificate");
  if (!isLive(certificate, now)) refuse("the certificate was revoked or destroyed");
  const leaf = new X509Certificate(certificateDer(certificate));
  if (leaf.ca || saysAuthority(leaf)) refuse("the certificate is an authority's");
  if (!isCurrent(leaf, now)) refuse("the certificate is not valid now");
  if (!mayEncipherKeys(leaf)) refuse("the certificate is not for key encipherment");
  const spki = publicKeyOf(key);
  if (!equalConstantTime(spkiOf(spki), spkiOf(leaf.publicKey))) refuse("the certificate is over another key");
  checkStrength(spki);
  const authority = work
    .find([["policy:RecipientCA", "true"]])
    .map((uid) => work.get(uid)!)
    .find((candidate) => isAuthority(candidate, now) && issued(candidate, leaf));
  if (!authority) return refuse("no recipients' authority signed the certificate");
  return [
    policy("Recipient", "verified"),
    policy("RecipientExpires", leaf.validToDate.toISOString()),
    policy("RecipientCertificate", certificate.uid),
    policy("RecipientAuthority", authority.uid),
  ];
}

/** Throws unless `key` is a recipient now: verified when registered, and nothing on its chain ended since. */
export function checkRecipient(key: ManagedObject, work: Work, now: Date): void {
  const { attributes } = key;
  if (key.objectType !== "PublicKey" || policyAttribute(attributes, "Recipient") !== "verified")
    refuse("not a registered recipient");
  const certificate = work.get(policyAttribute(attributes, "RecipientCertificate") ?? "");
  const authority = work.get(policyAttribute(attributes, "RecipientAuthority") ?? "");
  if (stateAt(key, now) !== "Active") refuse("the recipient's key is not active");
  if (!certificate || !isLive(certificate, now)) refuse("the recipient's certificate was revoked");
  if (!isCurrent(new X509Certificate(certificateDer(certificate)), now))
    refuse("the recipient's certificate expired");
  if (!authority || !isAuthority(authority, now)) refuse("the recipients' authority was revoked");
}

/** A certificate is live from its registration on, active or not yet, until it is revoked. */
function isLive(certificate: ManagedObject, now: Date): boolean {
  if (isDestroyed(certificate)) return false;
  const state = stateAt(certificate, now);
  return state === "PreActive" || state === "Active";
}

function isAuthority(object: ManagedObject, now: Date): boolean {
  if (object.objectType !== "Certificate" || policyAttribute(object.attributes, "RecipientCA") !== "true")
    return false;
  if (!isLive(object, now)) return false;
  const certificate = new X509Certificate(certificateDer(object));
  return certificate.ca && isCurrent(certificate, now);
}

function issued(authority: ManagedObject, leaf: X509Certificate): boolean {
  const issuer = new X509Certificate(certificateDer(authority));
  // checkIssued looks at names, key identifiers and the issuer's keyCertSign; verify at the signature.
  return leaf.checkIssued(issuer) && leaf.verify(issuer.publicKey);
}

function isCurrent({ validFromDate, validToDate }: X509Certificate, now: Date): boolean {
  return validFromDate <= now && now < validToDate;
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

/** A modulus or exponent that is small gives the wrapped key away to whoever sees it. */
function checkStrength(key: KeyObject): void {
  const { modulusLength = 0, publicExponent = 0n } = key.asymmetricKeyDetails ?? {};
  if (key.asymmetricKeyType !== "rsa" || modulusLength < LEAST_MODULUS || publicExponent < LEAST_EXPONENT)
    refuse("a recipient's key is RSA of 3072 bits or more");
}

function spkiOf(key: KeyObject): Uint8Array {
  return key.export({ format: "der", type: "spki" });
}

function refuse(message: string): never {
  throw new KmipError("PermissionDenied", `Not a recipient: ${message}`);
}
