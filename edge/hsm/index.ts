/**
 * edge/hsm: the KMIP client of one domain over its own `Fetcher` binding (KMIP HTTPS profile, mutual TLS), and what
 * every domain does with it: find by name, sign, read public material, and say what went wrong. `keys/` has the
 * choreography of keys. May import protocol/ and the shared files of edge/. Imported by the domains of edge/.
 */
export { certificateCrypto, certificateSigningKey } from "./certify.ts";
export { type Hsm, HsmUnavailable, openHsm, rawSignature, UnexpectedAnswer } from "./client.ts";
export { type Failure, failureOf, fromHsm } from "./failure.ts";
export { signCompact } from "./jws.ts";
