/**
 * One decision. It names ids only: never a token, key, credential, file name or document content. `reason` is for the
 * operator; the caller saw the code alone.
 */
export type AuditRow = {
  /** Number in this life of the outbox of the domain that decided: makes forwarding idempotent. */
  outbox: number;
  /** RFC 3339, by the clock of the deciding object. */
  time: string;
  /** For example `kms:rewrap`. */
  action: string;
  /** For example `account/acme` or `document/<uuid>`. */
  resource: string;
  outcome: "allow" | "deny" | "error";
  /** Problem code of a denial. */
  code?: string;
  reason?: string;
  requestId: string;
  user?: string;
  custodian?: string;
  client?: string;
  jkt?: string;
};
