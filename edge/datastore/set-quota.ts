/** What an admin of the tenant lets an account use: no more than the deployment allows, which holds as well where it becomes less. */

import type { AccountQuota, SetQuota } from "#protocol/contract/index.ts";
import { type Decision, ok, refuse } from "../result.ts";
import { type Quota, usageOf } from "./quota.ts";

/** A part of the migrations of an account's object. Null: as the deployment has it. */
export const SET_QUOTA_TABLE = `
  CREATE TABLE set_quota (
    only INTEGER PRIMARY KEY CHECK (only = 1), documents INTEGER, bytes INTEGER, by TEXT NOT NULL, since INTEGER NOT NULL
  ) STRICT;
`;

type Row = { documents: number | null; bytes: number | null; by: string; since: number };

function rowOf(sql: SqlStorage): Row | undefined {
  return sql.exec<Row>("SELECT documents, bytes, by, since FROM set_quota").toArray()[0];
}

/** What the account may use. `most`: what the deployment allows. */
export function quotaOf(sql: SqlStorage, most: Quota): Quota {
  const set = rowOf(sql);
  return {
    documents: Math.min(set?.documents ?? most.documents, most.documents),
    bytes: Math.min(set?.bytes ?? most.bytes, most.bytes),
  };
}

export function readQuota(sql: SqlStorage, account: string, most: Quota): AccountQuota {
  const set = rowOf(sql);
  return {
    used: usageOf(sql, account),
    quota: quotaOf(sql, most),
    most,
    ...(set && { set: { by: set.by, since: set.since } }),
  };
}

/** Inside `authorize()`. Seconds since 1970. */
export function setQuota(
  sql: SqlStorage,
  of: Partial<SetQuota>,
  most: Quota,
  { by, now }: { by: string; now: number },
): Decision<null> {
  const { documents = most.documents, bytes = most.bytes } = of;
  if (!(documents <= most.documents && bytes <= most.bytes))
    return refuse("quota-exceeded", "more than the deployment allows an account");
  sql.exec(
    "INSERT OR REPLACE INTO set_quota VALUES (1, ?, ?, ?, ?)",
    of.documents ?? null,
    of.bytes ?? null,
    by,
    now,
  );
  return ok(null);
}
