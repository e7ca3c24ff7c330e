import { bucketHash, bucketOf, lineOf, rootOf, type VersionRow } from "#protocol/version-index.ts";

/** The root over all rows of an index, in whatever order. */
export async function rootOfRows(rows: Iterable<VersionRow>): Promise<string> {
  const buckets = new Map<number, string[]>();
  for (const row of rows) {
    const bucket = bucketOf(row.document);
    const lines = buckets.get(bucket) ?? [];
    lines.push(lineOf(row));
    buckets.set(bucket, lines);
  }
  const hashes = [...buckets].map(async ([bucket, lines]) => [bucket, await bucketHash(lines)] as const);
  return rootOf(new Map(await Promise.all(hashes)));
}
