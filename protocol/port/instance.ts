import type { Level } from "../level.ts";
import { literal, object, type Shape, text } from "../shape.ts";

/**
 * What a microservice says about its enrolment. `notAfter` in ISO 8601; certificates in base64url DER. `level`: what is
 * released to it, where that is more than data keys; at level `master` it finds its keys itself. Then `identityCertificate` too, by which
 * its custodian names it to the IAM.
 */
export type InstanceDescription = {
  id: string;
  custodian: string;
  wrappingCertificate: string;
  notAfter: string;
  method: string;
  level?: Exclude<Level, "data">;
  identityCertificate?: string;
};
const certificate = text(1, 8192, /^[\w-]+$/);
export const instance: Shape<InstanceDescription> = object(
  {
    id: text(0, 128),
    custodian: text(0, 1024),
    wrappingCertificate: certificate,
    notAfter: text(0, 64),
    method: text(0, 32),
  },
  { level: literal("account", "master"), identityCertificate: certificate },
);
