/**
 * The key ladder in an instance at level `account` or `master` (W1 to W7): what it asks KMS and IAM for, and the links by which master,
 * account and data key are unwrapped in turn. Part of the measured microservice, which alone imports it.
 */
export type { AppKeyStore } from "./app-key.ts";
export type {
  Authorities,
  KeyIdentifier,
  ReleasedKey,
  WrappedAccountKey,
} from "./authorities.ts";
export { makeSecret, openSecret } from "./document-secret.ts";
export { type AccountDataKey, Ladder, type LadderOptions } from "./ladder.ts";
export { restAuthorities } from "./rest-authorities.ts";
export type { Message, Step, Watch } from "./step.ts";
export type { TokenOptions } from "./token.ts";
