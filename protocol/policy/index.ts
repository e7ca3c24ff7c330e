/**
 * Key policy: its shape and its evaluation, the same code at the edge and in the microservice (M12). Pure: no clock
 * (`now` comes in). May import: protocol/*.ts. Imported by protocol/keys, protocol/pki, edge and web/microservice.
 */
export { type Answer, type Ask, applies, type Decision, decide, type Rule } from "./decide.ts";
export { evaluate, type Request, rulesOfKeyPolicy } from "./evaluate.ts";
export { hasStrayWildcard, isNamed } from "./names.ts";
export { narrow } from "./narrow.ts";
export {
  type Action,
  isKeyPolicy,
  KEY_OPERATIONS,
  type KeyOperation,
  type KeyPolicy,
  keyPolicy,
  TIERS,
  type Tier,
  WRAPPINGS,
  type Wrapping,
} from "./policy.ts";
