/** What of a principal's instances the tenant's revocation lists have to name: a row waits until its list has it. */

import {
  pathOf,
  REVOCATION_LISTS,
  readFirstRevocationList,
  readRevocationList,
} from "#protocol/contract/index.ts";
import { REASON, type Reason } from "#protocol/pki/index.ts";

/**
 * Certificates of one instance, revoked together. Times: seconds since 1970. `list`: the one that they name; `expires`: end of their
 * validity, as it stands in them.
 */
export type Revocation = { list: number; serials: string[]; at: number; reason: Reason; expires: number };

/** The one list that certificates of earlier releases name. */
export const FIRST_LIST = -1;

/** The list of an instance that is being enrolled. Nobody chooses it. */
export function anyList(): number {
  const [list = 0] = crypto.getRandomValues(new Uint8Array(1));
  return list % REVOCATION_LISTS;
}

/** What a list's certificates name, and the list itself: where it is. */
export function distributionPoint(vault: string, list: number): string {
  const path =
    list === FIRST_LIST ? readFirstRevocationList.path : pathOf(readRevocationList, { list: String(list) });
  return vault + path;
}

/** A part of an UPDATE of instances: they end now (`?1`) for this reason, unless they had ended before. */
export function endedBy(reason: keyof typeof REASON): string {
  const later = "coalesce(ended, ?1) >= ?1";
  return `reason = iif(${later}, ${REASON[reason]}, reason), listed = iif(${later}, 0, listed), ended = min(coalesce(ended, ?1), ?1)`;
}

/** A condition on instances: their list has still to name them. `?`: now. */
export const UNLISTED = "listed = 0 AND ended IS NOT NULL AND certified > ? AND serials <> ''";

type Row = {
  id: string;
  list: number;
  serials: string;
  ended: number;
  reason: Reason;
  certified: number;
};

/** Of those that their lists have not: at most 100, with the ids of their instances. */
export function unlisted(sql: SqlStorage, now: number): (Revocation & { id: string })[] {
  const rows = sql.exec<Row>(
    `SELECT id, list, serials, ended, reason, certified FROM instances WHERE ${UNLISTED} LIMIT 100`,
    now,
  );
  return rows.toArray().map(({ id, list, serials, ended, reason, certified }) => ({
    ...{ id, list, serials: serials.split(","), at: ended, reason, expires: certified },
  }));
}

/** Their list has them as they were told; what was revoked once more meanwhile is told again. */
export function markListed(sql: SqlStorage, told: readonly (Revocation & { id: string })[]): void {
  for (const { id, at, reason } of told)
    sql.exec("UPDATE instances SET listed = 1 WHERE id = ? AND ended = ? AND reason = ?", id, at, reason);
}

/** A part of the migrations of a principal's object. */
export const REVOCATIONS = `
  -- When its certificates were, or will be, revoked and why (CRLReason); whether the tenant's list has them; the end that stands in
  -- them, which not_after is no more once they are renewed.
  ALTER TABLE instances ADD COLUMN ended INTEGER;
  ALTER TABLE instances ADD COLUMN reason INTEGER;
  ALTER TABLE instances ADD COLUMN listed INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE instances ADD COLUMN certified INTEGER NOT NULL DEFAULT 0;
  UPDATE instances SET certified = not_after;
  UPDATE instances SET ended = enrolled, reason = ${REASON.cessationOfOperation} WHERE status = 'revoked';
  CREATE INDEX instances_unlisted ON instances (listed, ended);
`;
/** The list that its certificates name. */
export const LISTS = `ALTER TABLE instances ADD COLUMN list INTEGER NOT NULL DEFAULT ${FIRST_LIST}`;
