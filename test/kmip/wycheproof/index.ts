/**
 * Drives Project Wycheproof's test vectors through the operations of a KMIP server: keys are registered, and what is
 * asked of them is asked over a connection. `valid` must be accepted with exactly the output of the vector, `invalid` be
 * refused, `acceptable` be either in every operation alike.
 * May import: protocol/kmip, emulator/hsm (as the server by default) and node:.
 * May be imported by: test, and by `npm run kmip:wycheproof` (`run.ts`).
 */
export { type FileResult, runFile } from "./run-file.ts";
export { KmipSession } from "./session.ts";
export { findFiles, readVectors, type VectorFile } from "./vectors.ts";
