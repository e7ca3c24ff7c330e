/**
 * The policy of statements that a tenant's admins have put: versions in the tenant's object of the KMS, of which the newest holds.
 * Isolates keep it for some seconds, so that no request asks that object.
 */

import { parsePolicy } from "#protocol/policy/statements/index.ts";
import { type Decision, ok, refuse } from "../result.ts";

/** A part of the migrations of the tenant's object. A version whose text is null: there is none since. */
export const STORED_POLICY_TABLE = `
  CREATE TABLE stored_policy (
    version INTEGER PRIMARY KEY, text TEXT, since INTEGER NOT NULL, by TEXT NOT NULL
  ) STRICT;
`;

/** Versions that are kept, so that an admin sees who changed what, and goes back. */
const MAX_VERSIONS = 20;

export type StoredPolicy = { version: number; policy: string | null };
export type PolicyVersion = StoredPolicy & { since: number; by: string };

export const NO_POLICY: StoredPolicy = { version: 0, policy: null };

/** The newest first. */
export function policyVersions(sql: SqlStorage, limit = MAX_VERSIONS): PolicyVersion[] {
  return sql
    .exec<PolicyVersion>(
      "SELECT version, text AS policy, since, by FROM stored_policy ORDER BY version DESC LIMIT ?",
      limit,
    )
    .toArray();
}

/**
 * Puts the next version in the place of `version`, which the admin has seen. Inside `authorize()`. `now` in milliseconds: versions
 * grow with the clock, so that an object which was restored to an earlier state gives none twice.
 */
export function putPolicy(
  sql: SqlStorage,
  { version, policy }: StoredPolicy,
  { by, now }: { by: string; now: number },
): Decision<{ version: number }> {
  const current = policyVersions(sql, 1)[0]?.version ?? 0;
  if (version !== current) return refuse("conflict", "another version has been put meanwhile");
  if (policy !== null && !isPolicy(policy)) return refuse("bad-request", "not a policy of statements");
  const next = Math.max(current + 1, now);
  sql.exec("INSERT INTO stored_policy VALUES (?, ?, ?, ?)", next, policy, Math.floor(now / 1000), by);
  sql.exec(
    "DELETE FROM stored_policy WHERE version <= (SELECT version FROM stored_policy ORDER BY version DESC LIMIT 1 OFFSET ?)",
    MAX_VERSIONS,
  );
  return ok({ version: next });
}

function isPolicy(text: string): boolean {
  try {
    return parsePolicy(text).form === "statements";
  } catch {
    return false;
  }
}
