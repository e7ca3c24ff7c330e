/**
 * Breaks: small patches that break a promise, and the tests that must turn red for it. A test that no break can turn red
 * proves nothing. May import node: only. Nothing imports it but `run.ts`.
 */
export { type Break, parseBreak } from "./break.ts";
