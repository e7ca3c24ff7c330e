/**
 * protocol/operations: the operations with keys that a microservice holds (M17), in one piece each: what is asked and what is
 * answered, once for the port and for REST. Documents of any length are streamed by the port's `seal` and `open`. May import:
 * protocol/*.ts, protocol/keys/algorithm.ts, protocol/keys/length.ts. Imported by protocol/port, protocol/contract, web/client,
 * web/microservice and web/hosts.
 */
export {
  type Answer,
  type CryptoOperation,
  type CryptoOperations,
  MAX_DATA,
  MAX_MESSAGE,
  MAX_RANDOM,
  OPERATIONS,
  type Question,
} from "./operations.ts";
