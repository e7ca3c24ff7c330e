/** The certificate authorities of a deployment: names of certificate, key and public key, and the subject. */

import { CUSTODIANS_AUTHORITY, INSTANCES_AUTHORITY } from "../authority.ts";

/** Certifies the other two and signs the trust list. The officer alone may use its key. */
export const ROOT_CA = {
  certificate: "coffer/ca/root",
  key: "coffer/ca/root/key",
  publicKey: "coffer/ca/root/public",
  subject: "CN=Coffer root CA,O=Coffer",
} as const;

/** Certifies instances: the HSM releases data keys to what it has certified. */
export const INSTANCES_CA = {
  certificate: "coffer/ca/instances",
  key: "coffer/ca/instances/key",
  publicKey: "coffer/ca/instances/public",
  subject: INSTANCES_AUTHORITY,
  user: "ra",
  recipients: true,
} as const;

/** Certifies the DPoP keys of custodians (M5). */
export const CUSTODIANS_CA = {
  certificate: "coffer/ca/custodians",
  key: "coffer/ca/custodians/key",
  publicKey: "coffer/ca/custodians/public",
  subject: CUSTODIANS_AUTHORITY,
  user: "iam",
  recipients: false,
} as const;
