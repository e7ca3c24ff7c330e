/**
 * The vocabulary of a deployment at the HSM: names of objects, policy attributes, classes, roles and identities, what
 * signs what, life-cycle states. Data and small functions. May import: protocol/*.ts, types of protocol/kmip. Imported by the officer
 * (cli), the HSM's release policy, edge/ and protocol/keys. Spelled nowhere else.
 */

export {
  ALLOWED,
  EVERYBODY,
  isKeyThumbprint,
  isPolicy,
  POLICY,
  type PolicyAttribute,
  policy,
  policyAttribute,
  users,
  usersOf,
  VENDOR,
  VERIFIED,
} from "./attributes.ts";
export { CUSTODIANS_CA, INSTANCES_CA, ROOT_CA } from "./authorities.ts";
export {
  ASSURANCES,
  type Assurance,
  type AwsKmsSettings,
  type BackEndSettings,
  DEFAULT_BACK_END,
  KMIP_VERSIONS,
  type KmipVersion,
  lacking,
  type TenantBackEnd,
} from "./back-end.ts";
export {
  ACCOUNT_KEYS,
  type AccountKeys,
  AGREEMENT,
  APP_KEYS,
  type AppKeys,
  DATA_KEYS,
  type DataKeys,
  isKeyClass,
  KEY,
  KEY_PAIR,
  type KeyClass,
  MASTER_KEYS,
  type MasterKeys,
  SEED_HMAC,
  USAGE,
} from "./classes.ts";
export {
  type Domain,
  IDENTITIES,
  IDENTITY,
  type Identity,
  isReserved,
  type Role,
  roleOf,
} from "./identities.ts";
export {
  appSpecificKeyName,
  encryptedDataKeyName,
  encryptedMasterKeyName,
  hybridNames,
  instancesMasterKeyName,
  isEncryptedKeyName,
  isReservedName,
  isTenantName,
  masterKeyName,
  named,
  recipientNames,
  recoveryKeyName,
  replacedMasterKeyName,
  residentDataKeyName,
  seedKeyName,
  TRUST_LIST,
  transientName,
} from "./names.ts";
export { SIGNATURE_KEYS, type SignatureKey } from "./signature-keys.ts";
export { CERTIFICATE, isSignType, PURPOSES, type Purpose, SIGN_TYPE, SIGNER } from "./signers.ts";
export { isLive, type State, WORKING } from "./states.ts";
export {
  CEK_UNDER_PAIR,
  DATA_UNDER_MASTER,
  DATA_UNDER_PAIR,
  PRIVATE_UNDER_PARENT,
  TO_HYBRID_RECIPIENT,
  TO_RECIPIENT,
  UNDER_PARENT,
} from "./wrapping.ts";
