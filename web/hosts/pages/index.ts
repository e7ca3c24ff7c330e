/**
 * web/hosts/pages: the one script of the pages on which the vault asks a person (edge/gateway/pages): it holds their
 * buttons back until a person can have read them, and ends in this browser what ended at the vault. May import:
 * protocol/*.ts, web/microservice. Built by web/build.ts into `vault/page.js`; imported by nothing.
 */
export { type Attention, HOLD, Hold } from "./hold.ts";
