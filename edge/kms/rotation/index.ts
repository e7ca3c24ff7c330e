/**
 * edge/kms/rotation: the tenant's accounts, a part in each of sixteen objects, and the rotation of its master key over them
 * (W12). No request of a user's reaches it but those that begin a rotation or ask how far it is. May import: protocol/*.ts, edge/*.ts,
 * cloudflare:workers. Imported by the KMS's door.
 */
export { KmsRotationObject } from "./object.ts";
export { beginRotation, partOf, type Rotation, readRotation } from "./parts.ts";
