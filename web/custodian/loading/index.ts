/**
 * web/custodian/loading: what the custodian asks for before it hands a key in, one file a way. It forwards what is encrypted
 * to somebody else. May import protocol/ and web/custodian. Imported by web/custodian.
 */
export { rewrap } from "./rewrap.ts";
