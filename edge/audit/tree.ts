/**
 * The log's tree in a Durable Object: its right edge, what fills a tile or bundle that is not whole yet, and those that are
 * whole, on their way to the bucket.
 */

import { type Checkpoint, checkpointText, succession } from "#protocol/audit/index.ts";
import { concat, join, utf8 } from "#protocol/bytes.ts";
import {
  encodeBundle,
  type Frontier,
  grow,
  isTileNode,
  leafHash,
  TILE_HEIGHT,
  TILE_WIDTH,
  type Tile,
  tilePath,
} from "#protocol/log/index.ts";

/** `sources`: the last checkpoint of each, and the number of its first leaf. */
export const SCHEMA = `
  CREATE TABLE IF NOT EXISTS frontier (
    only INTEGER PRIMARY KEY CHECK (only = 1), size INTEGER NOT NULL, hashes BLOB NOT NULL
  ) STRICT;
  CREATE TABLE IF NOT EXISTS leaves (number INTEGER PRIMARY KEY, entry TEXT NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS nodes (
    level INTEGER NOT NULL, number INTEGER NOT NULL, hash BLOB NOT NULL, PRIMARY KEY (level, number)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS tiles (path TEXT PRIMARY KEY, bytes BLOB NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS sources (
    source TEXT PRIMARY KEY, sequence INTEGER NOT NULL, head TEXT NOT NULL, first INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
`;

const HASH = 32;

export function frontierOf(sql: SqlStorage): Frontier {
  const [kept] = sql
    .exec<{ size: number; hashes: ArrayBuffer }>("SELECT size, hashes FROM frontier")
    .toArray();
  if (kept === undefined) return { size: 0, hashes: [] };
  const count = kept.hashes.byteLength / HASH;
  const hashes = Array.from({ length: count }, (_, i) => new Uint8Array(kept.hashes, i * HASH, HASH));
  return { size: kept.size, hashes };
}

/** Appends a checkpoint that goes on from its source's last one. Calls must come one after the other. */
export async function take(
  sql: SqlStorage,
  transaction: (closure: () => void) => void,
  checkpoint: Checkpoint,
): Promise<ReturnType<typeof succession>> {
  const { source, sequence, head } = checkpoint;
  const [last] = sql
    .exec<{ sequence: number; head: string }>("SELECT sequence, head FROM sources WHERE source = ?", source)
    .toArray();
  const verdict = succession(last, checkpoint);
  if (verdict !== "next") return verdict;
  const entry = checkpointText(checkpoint);
  const { size } = frontierOf(sql);
  const { frontier, completed } = await grow(frontierOf(sql), await leafHash(utf8(entry)));
  transaction(() => {
    sql.exec("INSERT INTO leaves VALUES (?, ?)", size, entry);
    if (frontier.size % TILE_WIDTH === 0) bundleLeaves(sql, frontier.size / TILE_WIDTH - 1);
    for (const { height, index, hash } of completed.filter(isTileNode)) {
      const level = height / TILE_HEIGHT;
      sql.exec("INSERT INTO nodes VALUES (?, ?, ?)", level, index, concat(hash).buffer);
      if ((index + 1) % TILE_WIDTH === 0) fillTile(sql, level, (index + 1) / TILE_WIDTH - 1);
    }
    const { buffer } = join(frontier.hashes);
    sql.exec("INSERT OR REPLACE INTO frontier VALUES (1, ?, ?)", frontier.size, buffer);
    sql.exec(
      `INSERT INTO sources VALUES (?, ?, ?, ?)
       ON CONFLICT DO UPDATE SET sequence = excluded.sequence, head = excluded.head`,
      ...[source, sequence, head, size],
    );
  });
  return verdict;
}

/** Entries of the bundle that is not whole yet, or is not in the bucket; null for one that is there. */
export function leavesHere(sql: SqlStorage, index: number): string[] | ArrayBuffer | null {
  const path = wholePath("entries", index);
  const [whole] = sql.exec<{ bytes: ArrayBuffer }>("SELECT bytes FROM tiles WHERE path = ?", path).toArray();
  if (whole !== undefined) return whole.bytes;
  if ((index + 1) * TILE_WIDTH <= frontierOf(sql).size) return null;
  return sql
    .exec<{ entry: string }>("SELECT entry FROM leaves ORDER BY number")
    .toArray()
    .map(({ entry }) => entry);
}

/** Stores what is whole, each file once, and then forgets it here. */
export async function moveTiles(
  sql: SqlStorage,
  bucket: Pick<R2Bucket, "put">,
  tenant: string,
): Promise<void> {
  for (;;) {
    const [tile] = sql
      .exec<{ path: string; bytes: ArrayBuffer }>("SELECT path, bytes FROM tiles LIMIT 1")
      .toArray();
    if (tile === undefined) return;
    const onlyIf = new Headers({ "if-none-match": "*" });
    await bucket.put(tileKey(tenant, tile.path), tile.bytes, { onlyIf });
    sql.exec("DELETE FROM tiles WHERE path = ?", tile.path);
  }
}

export function tileKey(tenant: string, path: string): string {
  return `${tenant}/log/${path}`;
}

export function wholePath(level: Tile["level"], index: number): string {
  return tilePath({ level, index, width: TILE_WIDTH });
}

function bundleLeaves(sql: SqlStorage, index: number): void {
  const entries = sql.exec<{ entry: string }>("SELECT entry FROM leaves ORDER BY number").toArray();
  const { buffer } = encodeBundle(entries.map(({ entry }) => utf8(entry)));
  sql.exec("INSERT INTO tiles VALUES (?, ?)", wholePath("entries", index), buffer);
  sql.exec("DELETE FROM leaves");
}

function fillTile(sql: SqlStorage, level: number, index: number): void {
  const nodes = sql
    .exec<{ hash: ArrayBuffer }>("SELECT hash FROM nodes WHERE level = ? ORDER BY number", level)
    .toArray();
  const { buffer } = join(nodes.map(({ hash }) => new Uint8Array(hash)));
  sql.exec("INSERT INTO tiles VALUES (?, ?)", wholePath(level, index), buffer);
  sql.exec("DELETE FROM nodes WHERE level = ?", level);
}
