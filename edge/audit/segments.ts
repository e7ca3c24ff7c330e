/**
 * Old links of a source lie in a bucket, in segments that are never changed: NDJSON, one link a line as in an export. The
 * name says which links, and by the hash of the last one also what is in them.
 */

import type { Link } from "#protocol/audit/index.ts";

export type Segment = { first: number; last: number; hash: string; key: string };

/** Links of one segment at most. */
const SEGMENT = 1000;

type Bucket = Pick<R2Bucket, "put">;

/**
 * Closes segments while more than `bound` links are kept. Once the oldest was chained at `before` or earlier (milliseconds
 * since 1970) all that are there are closed with it: a slow source then has a segment or so in that time, not one for each
 * of its entries. Each is stored before its links are deleted; when that was interrupted, it is stored again.
 */
export async function closeSegments(
  sql: SqlStorage,
  transaction: (closure: () => void) => void,
  bucket: Bucket,
  { prefix, bound, before }: { prefix: string; bound: number; before: number },
): Promise<void> {
  for (;;) {
    const links = dueLinks(sql, bound, before);
    const [first, last] = [links[0], links.at(-1)];
    if (first === undefined || last === undefined) return;
    const segment: Segment = {
      first: first.sequence,
      last: last.sequence,
      hash: last.hash,
      key: `${prefix}/${padded(first.sequence)}-${padded(last.sequence)}-${last.hash}.ndjson`,
    };
    const text = links.map((link) => `${JSON.stringify(link)}\n`).join("");
    await bucket.put(segment.key, text, { onlyIf: new Headers({ "if-none-match": "*" }) });
    transaction(() => {
      const { key, hash } = segment;
      sql.exec("INSERT INTO segments VALUES (?, ?, ?, ?)", segment.first, segment.last, hash, key);
      sql.exec("DELETE FROM links WHERE sequence <= ?", segment.last);
    });
  }
}

function dueLinks(sql: SqlStorage, bound: number, before: number): Link[] {
  const { kept, oldest } = sql
    .exec<{ kept: number; oldest: number | null }>(
      "SELECT count(*) AS kept, min(chained) AS oldest FROM links",
    )
    .one();
  if (oldest === null || (kept <= bound && oldest > before)) return [];
  return sql
    .exec<Link>(
      "SELECT sequence, previous, entry, hash FROM links ORDER BY sequence LIMIT ?",
      Math.min(bound, SEGMENT),
    )
    .toArray();
}

/** In the order of numbers when sorted as texts. */
function padded(sequence: number): string {
  return String(sequence).padStart(16, "0");
}

/** Below which a source's segments lie. A source's name is of any characters. */
export function segmentPrefix(tenant: string, source: string): string {
  return `${tenant}/source/${source.split("/").map(encodeURIComponent).join("/")}`;
}
