/**
 * edge/ra: the registration authority (M1 to M5): one ceremony, one file a method, certificates from a CA whose key
 * never leaves the HSM, and the registry of instances that the KMS asks. May import: protocol, edge/*.ts, edge/hsm,
 * edge/ra/methods, types of edge/iam, cloudflare:workers, @peculiar/x509, reflect-metadata. Reached through
 * `Ra` by the gateway, and by IAM and KMS through a door for each.
 */
export { Ra } from "./entrypoint.ts";
export { RaForIam } from "./for-iam.ts";
export { RaForKms } from "./for-kms.ts";
export { RaObject } from "./object.ts";
export { RaPrincipalObject } from "./principal.ts";
export { RaRevocationsObject } from "./revocation-list.ts";
export type { Applicant, Enrolment, EnrolmentOpened, GrantIssued, Instance, Recipient } from "./types.ts";
