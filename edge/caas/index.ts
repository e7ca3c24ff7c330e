/**
 * edge/caas: the centralized cryptography-as-a-service (M16): the operations of the service contract, done in the HSM by way of the KMS. It
 * makes messages of the document format and takes them apart; it has no key, no state and no HSM identity, and decides nothing. May
 * import: protocol/*.ts, protocol/envelope, protocol/keys, protocol/operations, edge/*.ts, cloudflare:workers. Reached by the gateway alone.
 */
export { Caas } from "./entrypoint.ts";
