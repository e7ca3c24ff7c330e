/** The audit log, as far as the caller may read it. */

import { line, list, literal, type Of, open, text, whole } from "../shape.ts";
import { identifier } from "./names.ts";
import type { Route } from "./route.ts";

/** Entries of one answer at most. */
export const AUDIT_PAGE = 50;

/** Where a page ended, in the chain of each domain that has entries about a subject. */
export const auditCursor = text(9, 80, /^\d{1,15}(\.\d{1,15}){4}$/);

/** One decision. Names ids only. `reason` is what the caller of then was not told. */
const auditEntry = open(
  {
    /** Whose chain: a domain, and whom it is about. */
    source: line(512),
    /** In that chain. */
    sequence: whole(1),
    /** RFC 3339. */
    time: line(40),
    action: line(128),
    resource: line(512),
    outcome: literal("allow", "deny", "error"),
    requestId: line(128),
  },
  { code: line(64), reason: line(1024), user: line(128), client: line(512) },
);
export type AuditEntry = Of<typeof auditEntry>;

/**
 * Decisions of all domains about a subject, the newest first: an account, for its owners; the caller's own id; or either, for an auditor, who
 * without a `subject` reads what concerns the tenant itself. In the shipped page and its programs alone. Reading is a decision too.
 */
export const readAudit = {
  site: "app",
  method: "GET",
  path: "/audit",
  authentication: "token",
  query: { required: {}, optional: { subject: identifier, before: auditCursor } },
  answer: {
    status: 200,
    json: open({ entries: list(auditEntry, 0, AUDIT_PAGE) }, { before: auditCursor }),
  },
  problems: ["forbidden"],
} as const satisfies Route;
