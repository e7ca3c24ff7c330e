/**
 * Policies of statements: who may, or may not, do what with which keys, under which conditions (M12). A policy stands on a
 * key, on a tenant or on all of them. Parsed once into the rules that protocol/policy decides by; not in the measured
 * microservice, which has the key's own policies alone. Pure: no clock (`now` comes in).
 * May import: protocol/*.ts, protocol/pki/distinguished-name.ts, protocol/policy. Imported by cli and edge/kms.
 */

export { MAX_POLICY_LENGTH } from "../../policy-length.ts";
export { type Explanation, explain } from "./explain.ts";
export { type Asked, type Facts, factsOf } from "./facts.ts";
export { ACTIONS, type Policy, type Statement } from "./language.ts";
export { MAX_TABLE_LENGTH, type Parsed, parsePolicies, parsePolicy } from "./parse.ts";
export { rulesOf } from "./rules.ts";
export { nextChange } from "./until.ts";
