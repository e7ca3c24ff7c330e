/**
 * What can be verified of the audit from an export alone: the hash chain of each source, the log of their checkpoints, and
 * the signed roots of that log. On WebCrypto, streamed. May import: protocol/*.ts, protocol/hierarchy, protocol/keys,
 * protocol/log. Imported by edge/audit and cli.
 */

export { GENESIS, type Head, type Link, linkHash, verifyChain } from "./chain.ts";
export { type Checkpoint, checkpointText, MAX_SOURCE, parseCheckpoint, succession } from "./checkpoint.ts";
export { AuditError, type AuditErrorCode } from "./error.ts";
export { EARLIER, type ExportLine, isLink, linesOf, parseLine } from "./export.ts";
export { type Root, rootPayload, verifyEarlierHead, verifyRoot } from "./root.ts";
export { type Verified, verifyExport } from "./verify.ts";
