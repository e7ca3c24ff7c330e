import { encodeHex, equalConstantTime } from "#protocol/bytes.ts";
import { type Attributes, KmipError, type RequestPayload } from "#protocol/kmip/index.ts";
import { nameOfValues } from "#protocol/pki/distinguished-name.ts";
import type { CertificateRequest } from "../crypto/certificate-request.ts";
import { checkReplacing, inPlaceOf } from "../policy/access.ts";
import { admitAttributes } from "../policy/admission.ts";
import { isRestricted } from "../policy/roles.ts";
import type { ManagedObject } from "../store/managed-object.ts";
import { publicKeyOf } from "../store/material.ts";
import { issueCertificate, readRequest } from "./certificate-authority.ts";
import { subjectOf } from "./certificate-subject.ts";
import type { Context } from "./context.ts";
import { described } from "./description.ts";
import type { Handler } from "./handler.ts";
import { newIdentifier } from "./identifier.ts";
import { der } from "./key-format.ts";
import { addLink } from "./links.ts";
import { checkSettable, putNew } from "./new-object.ts";
import { objectFor } from "./object-for.ts";
import type { Operation } from "./operation.ts";
import { giveAwayName, linkReplacement, replacementDates } from "./replacement.ts";

type Request = RequestPayload<"Certify">;

/** Certify (KMIP 2.1 §6.1.6): a certificate for a public key that is here, or that a request brings. */
const certify: Handler<"Certify"> = async (request, context) => {
  const key =
    request.uniqueIdentifier === undefined ? undefined : subjectKey(request.uniqueIdentifier, context);
  const certificate = await certificateFor(request, key, request.attributes ?? {}, context);
  if (key) linkKey(key.uid, certificate, context);
  context.references.set(certificate.uid, "Certify");
  return { uniqueIdentifier: certificate.uid };
};

/**
 * Re-certify (KMIP 2.1 §6.1.45): a new certificate for the key of another, in its place, with its dates; with an Offset
 * they move as those of a re-keyed key do.
 */
const reCertify: Handler<"ReCertify"> = async (request, context) => {
  const old = objectFor(context, request.uniqueIdentifier, "ReCertify");
  if (old.objectType !== "Certificate") throw new KmipError("InvalidObjectType", "Not a certificate");
  const link = old.attributes.link?.find(({ linkType }) => linkType === "PublicKeyLink");
  const key = link && subjectKey(link.linkedObjectIdentifier, context);
  const { name = [], cryptographicUsageMask, operationPolicyName } = old.attributes;
  const { activationDate, deactivationDate } = old.attributes;
  const asked = request.attributes ?? {};
  checkReplacing(context.subject, old, { ...asked, offset: request.offset });
  const attributes: Attributes = {
    ...(cryptographicUsageMask ? { cryptographicUsageMask } : {}),
    ...(operationPolicyName === undefined ? {} : { operationPolicyName }),
    ...(activationDate ? { activationDate } : {}),
    ...(deactivationDate ? { deactivationDate } : {}),
    ...replacementDates(old.attributes, request.offset, context.now),
    ...asked,
    name: [...name, ...(asked.name ?? [])],
  };
  giveAwayName(old, context);
  const subject = key ?? old;
  const certificate = await certificateFor(request, subject, attributes, context, old);
  linkReplacement(old, certificate, context);
  if (key) linkKey(key.uid, certificate, context);
  context.references.set(certificate.uid, "ReCertify");
  return { uniqueIdentifier: certificate.uid };
};

function subjectKey(identifier: NonNullable<Request["uniqueIdentifier"]>, context: Context): ManagedObject {
  const key = objectFor(context, identifier, "Certify");
  if (key.objectType !== "PublicKey") throw new KmipError("InvalidObjectType", "Not a public key");
  return key;
}

async function certificateFor(
  request: Request,
  key: ManagedObject | undefined,
  attributes: Attributes,
  context: Context,
  old?: ManagedObject,
): Promise<ManagedObject> {
  const { subject, work, now, random } = context;
  if (isRestricted(subject.role)) throw new KmipError("PermissionDenied", "Not allowed for this identity");
  checkSettable(attributes);
  admitAttributes(subject, "Certify", "Certificate", attributes);
  const csr = await requestOf(request, context);
  const publicKey = key ? der(publicKeyOf(key), "spki") : csr?.publicKey;
  if (!publicKey) throw new KmipError("MissingData", "Neither a public key nor a certificate request");
  if (csr && !equalConstantTime(csr.publicKey, publicKey))
    throw new KmipError("InvalidCSR", "The request is for another key");
  const serial = Buffer.from(random(8));
  serial.writeUInt8((serial.readUInt8() & 0x7f) | 0x40);
  const name = csr?.subject ?? subjectOf(attributes, old) ?? (key && nameOfValues([["CN", key.uid]]));
  if (!name) throw new KmipError("MissingData", "There is no subject");
  const certificateValue = await issueCertificate(work, {
    publicKey,
    subject: name,
    serialNumber: encodeHex(serial),
    now,
  });
  const object = { certificate: { certificateType: "X_509" as const, certificateValue } };
  return putNew(old ? { ...context, subject: inPlaceOf(old, subject) } : context, {
    uid: newIdentifier(context),
    objectType: "Certificate",
    attributes: { ...attributes, ...described("Certificate", object, {}) },
    value: object,
    made: true,
  });
}

/** PKCS#10 in the request (1.x and 2.x have a field of their own for it), or an object that holds one. */
async function requestOf(request: Request, context: Context): Promise<CertificateRequest | undefined> {
  const { certificateRequestType = "PKCS_10", certificateRequestUniqueIdentifier } = request;
  let bytes = request.certificateRequest ?? request.certificateRequestValue;
  if (!bytes && certificateRequestUniqueIdentifier !== undefined) {
    const object = objectFor(context, certificateRequestUniqueIdentifier, "Certify");
    bytes = object.value?.certificateRequest?.certificateRequestValue;
    if (!bytes) throw new KmipError("InvalidObjectType", "Not a certificate request");
  }
  if (!bytes) return undefined;
  if (certificateRequestType !== "PKCS_10")
    throw new KmipError("InvalidCSR", "Certificate requests are PKCS#10");
  return readRequest(bytes);
}

/** The key's link names its current certificate. */
function linkKey(uid: string, certificate: ManagedObject, context: Context): void {
  addLink(certificate, "PublicKeyLink", uid, context, { only: true });
  addLink(objectFor(context, uid, "Certify"), "CertificateLink", certificate.uid, context, { only: true });
}

export const Certify: Operation<"Certify"> = {
  handler: certify,
  needsValue: true,
  unattested: false,
  deferrable: true,
  undoable: true,
  roles: [],
  ticket: "none",
  policyName: "CERTIFY",
  shared: false,
};

export const ReCertify: Operation<"ReCertify"> = {
  handler: reCertify,
  needsValue: true,
  unattested: false,
  deferrable: true,
  undoable: true,
  roles: [],
  ticket: "none",
  policyName: "RECERTIFY",
  shared: false,
};
