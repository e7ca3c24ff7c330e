/**
 * Fuzzing of the KMIP codec and server: structure-aware and byte mutations, coverage, growth, hangs, and a planted bug.
 * May import: protocol/kmip, emulator/hsm and node:. May be imported by: nobody; `npm run fuzz` runs `run.ts`.
 */
export { type Finding, type FuzzOptions, type FuzzReport, fuzz } from "./fuzzer.ts";
