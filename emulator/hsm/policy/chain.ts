import { isLive, POLICY, policyAttribute, ROOT_CA, roleOf } from "#protocol/hierarchy/index.ts";
import { type ManagedObject, stateAt } from "../store/managed-object.ts";
import type { Work } from "../store/work.ts";
import { hasIssued, type ReadCertificate, readCertificate } from "./read-certificate.ts";

/**
 * The chain of a recipient's certificate (RFC 5280 §6.1): the recipients' authority, and the root that certified it. Both
 * are the officer's objects; taking either out of use ends every recipient below.
 */

/** Bit of keyUsage, as @peculiar/x509 numbers them. */
const KEY_CERT_SIGN = 32;

/** Whether `authority` is a recipients' authority now, under the root, and issued `leaf`. */
export function isChain(leaf: ReadCertificate, authority: ManagedObject, work: Work, now: Date): boolean {
  if (!isOfficers(authority) || policyAttribute(authority.attributes, POLICY.recipientAuthority) !== "true")
    return false;
  const issuer = authorityOf(authority, now);
  if (!issuer || !isCurrent(leaf, now) || !leaf.isProcessed || !hasIssued(issuer, leaf)) return false;
  return roots(work).some((object) => {
    if (object.uid === authority.uid) return false;
    const root = authorityOf(object, now);
    // One authority stands between the root and the leaf.
    return root !== undefined && root.pathLength >= 1 && hasIssued(root, root) && hasIssued(root, issuer);
  });
}

/** A certificate is in force from its registration on, active or not yet, until it is revoked; not while it is archived. */
export function isInForce(certificate: ManagedObject, now: Date): boolean {
  return isLive(stateAt(certificate, now)) && certificate.attributes.archiveDate === undefined;
}

export function isCurrent({ certificate }: ReadCertificate, now: Date): boolean {
  return certificate.validFromDate <= now && now < certificate.validToDate;
}

/** The certificate of an object that is live, current, and may certify others. */
function authorityOf(object: ManagedObject, now: Date): ReadCertificate | undefined {
  if (object.objectType !== "Certificate" || !isInForce(object, now)) return undefined;
  const read = readCertificate(object);
  const mayBe = read.certificate.ca && (read.usages & KEY_CERT_SIGN) !== 0 && read.isProcessed;
  return mayBe && isCurrent(read, now) ? read : undefined;
}

function roots(work: Work): Readonly<ManagedObject>[] {
  return work
    .find([["name", ROOT_CA.certificate]])
    .flatMap((uid) => work.look(uid) ?? [])
    .filter(isOfficers);
}

function isOfficers({ owner }: ManagedObject): boolean {
  return roleOf(owner) === "officer";
}
