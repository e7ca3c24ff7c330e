/**
 * Key policy: its shape and its evaluation, the same code at the edge and in the microservice (M12).
 * Pure: imports protocol/shape.ts alone, no clock (`now` comes in).
 * Imported by protocol/keys, edge/kms, web/microservice.
 */
export { type Decision, evaluate, type Request } from "./evaluate.ts";
export { narrow } from "./narrow.ts";
export {
  isKeyPolicy,
  KEY_OPERATIONS,
  type KeyOperation,
  type KeyPolicy,
  keyPolicy,
  TIERS,
  type Tier,
} from "./policy.ts";
