import type { X509Certificate } from "node:crypto";
import { KmipError } from "#protocol/kmip/index.ts";
import { parseCertificate } from "../crypto/certificate.ts";
import { stateAt } from "../store/managed-object.ts";
import { certificateDer } from "../store/material.ts";
import type { Handler } from "./handler.ts";
import { objectFor } from "./object-for.ts";
import type { Operation } from "./operation.ts";

const MAX_CERTIFICATES = 32;

/**
 * Validate (KMIP 2.1 §6.1.57): whether certificates make a chain that is valid at a time. Unknown where an issuer is not
 * among them.
 */
const validate: Handler<"Validate"> = (request, context) => {
  if ((request.uniqueIdentifier?.length ?? 0) + (request.certificate?.length ?? 0) > MAX_CERTIFICATES)
    throw new KmipError("InvalidField", "Too many certificates");
  const at = request.validityDate ?? context.now;
  const objects = (request.uniqueIdentifier ?? []).map((one) => objectFor(context, one, "Validate"));
  // Certificates in the message are nobody's object.
  if (context.objects && objects.length === 0)
    throw new KmipError("NotAuthorised", "The ticket is for objects that are there");
  const values = [
    ...(request.certificate ?? []).map(({ certificateValue }) => certificateValue),
    ...objects.map(certificateDer),
  ];
  if (values.length === 0) throw new KmipError("MissingData", "There is no certificate");
  if (objects.some((object) => stateAt(object, context.now) === "Compromised"))
    return { validityIndicator: "Invalid" };
  const certificates = values.map(parseCertificate);
  const verdicts = certificates.map((certificate) => verdict(certificate, certificates, at));
  if (verdicts.includes("Invalid")) return { validityIndicator: "Invalid" };
  return { validityIndicator: verdicts.includes("Unknown") ? "Unknown" : "Valid" };
};

function verdict(
  certificate: X509Certificate,
  others: X509Certificate[],
  at: Date,
): "Valid" | "Invalid" | "Unknown" {
  const { validFromDate, validToDate } = certificate;
  if (!(validFromDate <= at && at <= validToDate)) return "Invalid";
  const issuer = others.find((other) => certificate.checkIssued(other));
  if (!issuer) return "Unknown";
  return certificate.verify(issuer.publicKey) ? "Valid" : "Invalid";
}

export const Validate: Operation<"Validate"> = {
  handler: validate,
  needsValue: true,
  unattested: false,
  deferrable: true,
  undoable: true,
  roles: [],
  ticket: "objects",
  policyName: "VALIDATE",
  shared: true,
};
