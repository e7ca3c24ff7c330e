/**
 * edge/hsm: the KMIP client of one domain over its own `Fetcher` binding (KMIP HTTPS profile, mutual TLS), and what
 * every domain does with it: find by name, sign, read public material, and say what went wrong. `keys/` has the
 * choreography of keys. May import: protocol/*.ts, protocol/hierarchy, protocol/keys, protocol/kmip, protocol/pki, types
 * of protocol/contract, edge/*.ts. Imported by the domains of edge/ and by the officer (cli).
 */
export { type AwsCredentials, type AwsKmsAccess, AwsRefused, awsKmsBackEnd } from "./aws-kms.ts";
export {
  type Archived,
  AttestationRefused,
  type BackEnd,
  BackEndRefused,
  checkStanding,
  type Standing,
} from "./back-end.ts";
export { certificateCrypto, certificateSigningKey } from "./certify.ts";
export { type Hsm, HsmUnavailable, openHsm, rawSignature, UnexpectedAnswer } from "./client.ts";
export { type Failure, failureOf, fromHsm } from "./failure.ts";
export { signCompact } from "./jws.ts";
export { agreeVersion, askKmip } from "./standing.ts";
