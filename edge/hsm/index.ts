/**
 * edge/hsm: the KMIP client of one domain over its own `Fetcher` binding (KMIP HTTPS profile, mutual TLS), and what
 * every domain does with it: find by name, sign, read public material. May import protocol/ only. Imported by the
 * domains of edge/.
 */
export { certificateCrypto, certificateSigningKey } from "./certify.ts";
export { type Hsm, HsmUnavailable, openHsm } from "./client.ts";
export { derToRaw } from "./ecdsa.ts";
export { signCompact } from "./jws.ts";
export { fromHsm } from "./problem.ts";
