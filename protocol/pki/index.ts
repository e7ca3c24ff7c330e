/**
 * protocol/pki: what an instance shows when it enrols and what it checks on getting certificates: certificate requests
 * (PKCS#10), names, paths and the few fields of X.509 that matter to it, in plain DER, so that the measured bundle needs
 * no ASN.1 library. May import: protocol/*.ts, protocol/policy. Imported by protocol/evidence, web/microservice, edge,
 * emulator/hsm and tests.
 */
export { ATTESTATION_ATTRIBUTE, attestationAttribute, type Evidence, evidenceIn } from "./attestation.ts";
export { type Certificate, certifiedKey, parseCertificate } from "./certificate.ts";
export { type EnvelopedData, parseEnvelopedData } from "./enveloped-data.ts";
export {
  type InstanceCertificate,
  instanceCustodian,
  instanceLevel,
  instanceTier,
  LEVEL_POLICY,
  METHOD_POLICY,
  TIER_POLICY,
} from "./instance.ts";
export { nameText } from "./name.ts";
export { certifiedParty, type Party, signedBy } from "./party.ts";
export { verifyChain } from "./path.ts";
export { type CertificationRequest, signedRequest, wrappingProofInput } from "./request.ts";
export {
  REASON,
  type Reason,
  type RevocationList,
  type RevokedCertificate,
  readRevocationListToSign,
  revocationListToSign,
  signedRevocationList,
} from "./revocation-list.ts";
export { ECDSA_P384 } from "./signature.ts";
