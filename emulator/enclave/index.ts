/**
 * The enclave emulator: a platform key, and evidence signed by it that says EMULATED. No hardware stands behind it.
 * May import: protocol/, node: and @peculiar/x509.
 * May be imported by: users of the package, as `./enclave`; cli, test (and never by edge, web or emulator/hsm, which only know its
 * root certificate).
 */

export { type EvidenceOrder, makeEvidence, makePlatform, type Platform } from "./evidence.ts";
