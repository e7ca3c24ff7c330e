export type AuditErrorCode =
  | "audit-malformed" // a line that is not of an export, or not in its place
  | "audit-truncated" // the export ends before its end
  | "audit-signature" // a trust list, root or head is not signed by who may sign it
  | "audit-tenant" // it is about another tenant
  | "audit-root" // a signed root is not that of the leaves before it
  | "audit-checkpoint" // a checkpoint goes back
  | "audit-chain" // a chain does not link up, or does not lead to a head that was signed or logged
  | "audit-source" // a source of the log, or the end of its chain, is missing
  | "audit-unsigned"; // links after the last checkpoint are older than such links can be

/** Why an export proves nothing. `code` is stable; the message names the source and the place. */
export class AuditError extends Error {
  override readonly name = "AuditError";
  readonly code: AuditErrorCode;
  constructor(code: AuditErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? {} : { cause });
    this.code = code;
  }
}
