import "reflect-metadata";
import { X509Certificate } from "node:crypto";
import * as x509 from "@peculiar/x509";
import { isLive, POLICY, policyAttribute, ROOT_CA, roleOf } from "#protocol/hierarchy/index.ts";
import { type ManagedObject, stateAt } from "../store/managed-object.ts";
import { certificateDer } from "../store/material.ts";
import type { Work } from "../store/work.ts";

/**
 * The chain of a recipient's certificate (RFC 5280 §6.1): the recipients' authority, and the root that certified it. Both
 * are the officer's objects; taking either out of use ends every recipient below.
 */

/** Of the critical extensions we process these; an unknown one refuses the certificate (RFC 5280 §4.2). */
const PROCESSED: ReadonlySet<string> = new Set(["2.5.29.15", "2.5.29.19"]);

/** Whether `authority` is a recipients' authority now, under the root, and issued `leaf`. */
export function isChain(leaf: X509Certificate, authority: ManagedObject, work: Work, now: Date): boolean {
  if (!isOfficers(authority) || policyAttribute(authority.attributes, POLICY.recipientAuthority) !== "true")
    return false;
  const issuer = authorityOf(authority, now);
  if (!issuer || !isCurrent(leaf, now) || !isProcessed(leaf) || !issued(issuer, leaf)) return false;
  return roots(work).some((object) => {
    if (object.uid === authority.uid) return false;
    const root = authorityOf(object, now);
    // One authority stands between the root and the leaf.
    return root !== undefined && pathLength(root) >= 1 && issued(root, root) && issued(root, issuer);
  });
}

/** A certificate is in force from its registration on, active or not yet, until it is revoked; not while it is archived. */
export function isInForce(certificate: ManagedObject, now: Date): boolean {
  return isLive(stateAt(certificate, now)) && certificate.attributes.archiveDate === undefined;
}

export function isCurrent({ validFromDate, validToDate }: X509Certificate, now: Date): boolean {
  return validFromDate <= now && now < validToDate;
}

/** The certificate of an object that is live, current, and may certify others. */
function authorityOf(object: ManagedObject, now: Date): X509Certificate | undefined {
  if (object.objectType !== "Certificate" || !isInForce(object, now)) return undefined;
  const certificate = new X509Certificate(certificateDer(object));
  const parsed = new x509.X509Certificate(certificate.raw);
  const usages = parsed.getExtension(x509.KeyUsagesExtension)?.usages ?? 0;
  const certifies = (usages & x509.KeyUsageFlags.keyCertSign) !== 0;
  const mayBe = certificate.ca && certifies && isProcessed(certificate);
  return mayBe && isCurrent(certificate, now) ? certificate : undefined;
}

function roots(work: Work): ManagedObject[] {
  return work.all([["name", ROOT_CA.certificate]]).filter(isOfficers);
}

function isOfficers({ owner }: ManagedObject): boolean {
  return roleOf(owner) === "officer";
}

function issued(issuer: X509Certificate, subject: X509Certificate): boolean {
  // checkIssued looks at names, key identifiers and the issuer's keyCertSign; verify at the signature.
  return subject.checkIssued(issuer) && subject.verify(issuer.publicKey);
}

function isProcessed({ raw }: X509Certificate): boolean {
  const { extensions } = new x509.X509Certificate(raw);
  return extensions.every(({ critical, type }) => !critical || PROCESSED.has(type));
}

/** How many authorities may follow below. */
function pathLength({ raw }: X509Certificate): number {
  const constraints = new x509.X509Certificate(raw).getExtension(x509.BasicConstraintsExtension);
  return constraints?.pathLength ?? Number.POSITIVE_INFINITY;
}
