/**
 * The enclave emulator: a platform key, and evidence signed by it that says EMULATED. No hardware stands behind it.
 * May import: protocol/*.ts, node:, @peculiar/x509, reflect-metadata.
 * May be imported by: users of the package, as `./enclave`; cli, test (and never by edge, web or emulator/hsm, which only know its
 * root certificate).
 */

export { type EvidenceOrder, makeEvidence, makePlatform, type Platform } from "./evidence.ts";
