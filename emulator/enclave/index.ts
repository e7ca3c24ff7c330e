/**
 * The enclave emulator: a platform key, and evidence signed by it that says EMULATED; enclaves like those of AWS Nitro, and
 * all that can be wrong with their evidence; a microservice runs in one. No hardware stands behind it.
 * May import: protocol/*.ts, protocol/evidence, protocol/pki, node:, @peculiar/x509, reflect-metadata.
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
export { type EvidenceOrder, makeEvidence, makePlatform, type Platform } from "./evidence.ts";
export { EVIDENCE_FAULTS, type EvidenceFault, type EvidenceFaultName } from "./evidence-faults.ts";
export { launchNitroEnclave, type NitroEnclave, type NitroLaunch } from "./nitro.ts";
export { makeNitroAuthority, type NitroAuthority } from "./nitro-authority.ts";
export type { NitroFault, NitroRequest } from "./nitro-fault.ts";
export { NITRO_FAULTS, NITRO_FORMS, type NitroFaultName } from "./nitro-faults.ts";
export type { Registers } from "./registers.ts";
