/**
 * The enclave emulator: a platform key, and evidence signed by it that says EMULATED; enclaves like those of AWS Nitro, and
 * all that can be wrong with their evidence; a microservice runs in one. No hardware stands behind it.
 * May import: protocol/*.ts, protocol/evidence, protocol/pki, emulator/pages, node:, @peculiar/x509, reflect-metadata.
 * May be imported by: users of the package, as `./enclave`; cli, test (and never by edge, web or emulator/hsm, which only know its
 * root certificate).
 */

export { evidenceBinder } from "#protocol/evidence-binder.ts";
export {
  type AuthenticatorFault,
  type AuthenticatorMaker,
  type AuthenticatorOptions,
  type AuthenticatorPage,
  EmulatedAuthenticator,
  makeAuthenticatorMaker,
} from "./authenticator.ts";
export { encryptedCredential, type PlatformKey, signedCredential } from "./credential.ts";
export { CREDENTIAL_FAULTS, type CredentialFault, type CredentialFaultName } from "./credential-faults.ts";
export {
  type Enclave,
  type EnclaveOptions,
  type EnclaveQuestion,
  emulatedCredentialEnclave,
  emulatedEnclave,
  emulatedNitroEnclave,
} from "./enclave.ts";
export { type EvidenceOrder, makeEvidence } from "./evidence.ts";
export {
  EVIDENCE_FAULTS,
  type EvidenceFault,
  type EvidenceFaultName,
  OLDER_RELEASE,
} from "./evidence-faults.ts";
export {
  ENCLAVE_FAULTS,
  FAULT_GROUPS,
  type FaultChosen,
  type FaultGroup,
  type FaultGroupName,
  faultNamed,
} from "./fault-groups.ts";
export { type FaultSwitch, startFaultSwitch } from "./fault-switch.ts";
export {
  CREDENTIAL_FAULTS_SAID,
  EVIDENCE_FAULTS_SAID,
  type FaultSaid,
  NITRO_FAULTS_SAID,
} from "./faults-said.ts";
export { launchNitroEnclave, type NitroEnclave, type NitroLaunch, registersOf } from "./nitro.ts";
export {
  keepNitroAuthority,
  keptNitroAuthority,
  makeNitroAuthority,
  type NitroAuthority,
  type NitroAuthorityKept,
} from "./nitro-authority.ts";
export type { NitroFault, NitroRequest } from "./nitro-fault.ts";
export { NITRO_FAULTS, NITRO_FORMS, type NitroFaultName } from "./nitro-faults.ts";
export {
  type AttestationKey,
  type FaultyKey,
  makePlatform,
  type Platform,
  revokedKeyOf,
} from "./platform.ts";
export { PLATFORM_VERSION } from "./platform-version.ts";
export type { Registers } from "./registers.ts";
export {
  REGISTRATION_DOOR,
  SERVICE_FAULTS,
  type ServiceFaultName,
  VERIFIER_DOOR,
} from "./service-faults.ts";
