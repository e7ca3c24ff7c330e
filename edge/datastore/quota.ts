/** How many documents an account may have, and how many bytes. Counted from the table, so a deletion gives back at once. */

import { configuredBound } from "../bound.ts";
import { type Decision, ok, refuse } from "../result.ts";

export type Quota = { documents: number; bytes: number };

const DEFAULT: Quota = { documents: 100_000, bytes: 2 ** 40 };

/** Throws for a bound that is mistyped. */
export function configuredQuota(
  env: Partial<Pick<Env, "COFFER_DOCUMENTS_PER_ACCOUNT" | "COFFER_BYTES_PER_ACCOUNT">>,
): Quota {
  const { COFFER_DOCUMENTS_PER_ACCOUNT: documents, COFFER_BYTES_PER_ACCOUNT: bytes } = env;
  return {
    documents: configuredBound("COFFER_DOCUMENTS_PER_ACCOUNT", documents, DEFAULT.documents),
    bytes: configuredBound("COFFER_BYTES_PER_ACCOUNT", bytes, DEFAULT.bytes),
  };
}

/** What an account has, uploads under way and documents of all apps among it. */
export function usageOf(sql: SqlStorage, account: string): Quota {
  const { documents, complete } = sql
    .exec<{ documents: number; complete: number | null }>(
      `SELECT count(*) AS documents, sum(metadata + CASE state WHEN 'complete' THEN size ELSE 0 END) AS complete
       FROM documents WHERE account = ? AND state != 'deleted'`,
      account,
    )
    .one();
  const { parts } = sql
    .exec<{ parts: number | null }>(
      `SELECT sum(p.size) AS parts FROM documents d JOIN parts p ON p.document = d.id
       WHERE d.account = ? AND d.state IN ('pending', 'completing')`,
      account,
    )
    .one();
  return { documents, bytes: (complete ?? 0) + (parts ?? 0) };
}

/** Whether there is room for so much more. Asked in the transaction that stores it, so that no two uploads share a rest. */
export function checkRoom(sql: SqlStorage, account: string, quota: Quota, more: Quota): Decision<null> {
  const used = usageOf(sql, account);
  if (!(used.documents + more.documents <= quota.documents))
    return refuse("quota-exceeded", "quota of documents");
  if (!(used.bytes + more.bytes <= quota.bytes)) return refuse("quota-exceeded", "quota of bytes");
  return ok(null);
}

/** The same for a part of an upload, which may take the place of an earlier one. */
export function checkPart(
  sql: SqlStorage,
  { id, account }: { id: string; account: string },
  part: number,
  size: number,
  quota: Quota,
): Decision<null> {
  const [before] = sql
    .exec<{ size: number }>("SELECT size FROM parts WHERE document = ? AND part = ?", id, part)
    .toArray();
  return checkRoom(sql, account, quota, { documents: 0, bytes: size - (before?.size ?? 0) });
}
