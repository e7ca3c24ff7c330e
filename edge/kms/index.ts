/**
 * edge/kms: the key management service: data keys (M6) and rewrapping (M8). No plaintext key byte is ever here: the HSM
 * makes, unwraps and rewraps. May import: protocol, edge/*.ts, edge/hsm, edge/kms/cache, edge/kms/loading, edge/kms/rotation, types of
 * edge/iam, types of edge/ra, cloudflare:workers. It has no binding to the datastore (W9). Reached through `Kms` by the
 * gateway, and by IAM, RA and CaaS through a door for each.
 */
export { KmsAccountObject } from "./account.ts";
export { Kms } from "./entrypoint.ts";
export { KmsForCaas } from "./for-caas.ts";
export { KmsForIam } from "./for-iam.ts";
export { KmsForRa } from "./for-ra.ts";
export { KmsObject } from "./object.ts";
export { KmsPrincipalObject } from "./principal.ts";
export { KmsRotationObject } from "./rotation/index.ts";
