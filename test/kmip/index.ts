/**
 * Runs the OASIS test cases against a KMIP server, message by message, by the rules of the KMIP profiles.
 * May import: protocol/kmip, emulator/hsm (as the server by default) and node:.
 * May be imported by: test, and by `npm run kmip:conformance` (`conformance.ts`).
 */

export { excluded } from "./excluded.ts";
export { type Result, runSuite, type SuiteOptions } from "./suite.ts";
export { findCases, readCase, type TestCase } from "./test-case.ts";
