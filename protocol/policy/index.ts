/**
 * Key policy: its shape and its evaluation, the same code at the edge and in the microservice (M12). Pure: no clock
 * (`now` comes in). May import: protocol/*.ts. Imported by protocol/keys, protocol/pki, edge and web/microservice.
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
