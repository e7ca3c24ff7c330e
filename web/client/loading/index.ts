/**
 * web/client/loading: what the custodian asks for before it hands a key in, one file a way. It forwards what is encrypted
 * to somebody else. May import protocol/ and web/client. Imported by web/client.
 */
export { rewrap } from "./rewrap.ts";
