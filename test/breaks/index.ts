/**
 * Breaks: small patches that break a promise, and the tests that must turn red for it. A test that no break can turn red
 * proves nothing. A folder for each room of the source tree that is broken. May import node:,
 * test/support and cli/interrupt; tests of the docs import it.
 */
export { type Break, parseHeader, readBreaks } from "./break.ts";
