/**
 * edge/caas: the centralized cryptography-as-a-service (M16): the operations of the service contract, done in the HSM by way of the KMS. It
 * takes the content out of what is asked, and the key that it is for; it has no key, no state and no HSM identity, makes no message and decides nothing. May
 * import: protocol/*.ts, protocol/envelope, protocol/keys, types of protocol/operations, edge/*.ts, cloudflare:workers, @noble/post-quantum.
 * Reached by the gateway alone.
 */
export { Caas } from "./entrypoint.ts";
