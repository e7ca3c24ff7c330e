/**
 * edge/verifier: appraises attestation evidence (M1) by a tenant's policy and says in a signed result what it is worth. No
 * state, no route, no HSM: whoever runs it need be trusted with nothing but that key. May import: protocol/*.ts,
 * protocol/evidence, types of protocol/policy, edge/*.ts, cloudflare:workers, @peculiar/x509, @simplewebauthn/server, reflect-metadata. Reached through the entrypoint `Verifier` alone, by the registration
 * authority.
 */
export { type Order, type PasskeyOrder, Verifier } from "./entrypoint.ts";
