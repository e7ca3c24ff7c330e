/** A log of releases as files that anyone can serve (c2sp.org/tlog-tiles): each leaf is a signed release, compact JWS. */
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { makeFolder, whileLocked, writeWhole } from "#files/index.ts";
import { compareBytes } from "#protocol/byte-order.ts";
import { concat, join as joinBytes, utf8 } from "#protocol/bytes.ts";
import { seconds } from "#protocol/clock.ts";
import {
  decodeBundle,
  emptyFrontier,
  encodeBundle,
  grow,
  isTileNode,
  type LogCheckpoint,
  leafHash,
  type NodeReader,
  type NoteKey,
  type NoteSigner,
  nodesOfTiles,
  rootOf,
  signCheckpoint,
  TILE_HEIGHT,
  TILE_WIDTH,
  type Tile,
  tilePath,
  verifyCheckpoint,
} from "#protocol/log/index.ts";
import { loopbackFetch } from "./loopback-fetch.ts";

/** Releases in one log. */
const MAX_RELEASES = 65_536;
/** Of one file of a log: a bundle of 256 entries of 65,535 bytes is longer than any that is written here. */
const MAX_FILE = 16 * 1024 * 1024;
/** Of one answer, until its end. */
const TIMEOUT_MS = 30_000;

/** Gives a file of the log by its path; null where there is none. */
export type ReadLog = (path: string) => Promise<Uint8Array | null>;

/** A log in a folder, or at an address that begins with `http`. */
export function logAt(place: string): ReadLog {
  if (!/^https?:/.test(place)) {
    return (path) =>
      readFile(join(place, path)).catch((error: NodeJS.ErrnoException) => {
        if (error.code === "ENOENT" || error.code === "ENOTDIR") return null;
        throw error;
      });
  }
  const base = place.endsWith("/") ? place : `${place}/`;
  return async (path) => {
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const response = await loopbackFetch(new URL(path, base).href, { redirect: "error", signal });
    if (response.ok) return fileOf(response, place);
    await response.body?.cancel();
    if (response.status === 404) return null;
    throw new Error(`${place} answered with ${response.status}`);
  };
}

async function fileOf(response: Response, place: string): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body ?? []) {
    length += chunk.length;
    if (length > MAX_FILE) throw new Error(`${place} has a file that is too long`);
    chunks.push(chunk);
  }
  return joinBytes(chunks);
}

/** Each file once, for one verification: every proof asks for nodes, of which one tile has many. */
export function readOnce(read: ReadLog): ReadLog {
  const files = new Map<string, ReturnType<ReadLog>>();
  return (path) => {
    const file = files.get(path) ?? read(path);
    files.set(path, file);
    return file;
  };
}

/** The checkpoint as it is there, and what it says. Null for a log that has not begun. Throws for one that its key has not signed. */
export async function readCheckpoint(read: ReadLog, key: NoteKey) {
  const bytes = await read("checkpoint");
  if (bytes === null) return null;
  const note = new TextDecoder().decode(bytes);
  return { note, ...(await verifyCheckpoint(note, key)) };
}

/** Hashes of the tree's nodes, by its tiles. */
export function nodesOf(read: ReadLog, size: number): NodeReader {
  return nodesOfTiles(async (level, first, width) => {
    const index = Math.floor(first / TILE_WIDTH);
    const tile = { level, index, width: widthOf(level, index, size) };
    const bytes = await readTile(read, tile);
    if (bytes.length !== tile.width * 32) throw new TypeError("a tile of the log is not whole");
    const from = (first % TILE_WIDTH) * 32;
    return Array.from({ length: width }, (_, i) => bytes.subarray(from + i * 32, from + (i + 1) * 32));
  });
}

/** All entries. */
export async function entriesOf(read: ReadLog, size: number): Promise<Uint8Array[]> {
  if (size > MAX_RELEASES) throw new RangeError("more releases than one log has");
  const entries: Uint8Array[] = [];
  while (entries.length < size) {
    const index = entries.length / TILE_WIDTH;
    const width = Math.min(TILE_WIDTH, size - entries.length);
    const bundle = decodeBundle(await readTile(read, { level: "entries", index, width }));
    if (bundle.length !== width) throw new TypeError("a bundle of the log is not whole");
    entries.push(...bundle);
  }
  return entries;
}

/** An entry that is to be added. `follows` throws where it must not come after what is the log's last, undefined in one that has not begun. */
export interface NewEntry {
  entry: Uint8Array;
  follows: (last: Uint8Array | undefined) => Promise<void>;
}

/** Adds an entry. The checkpoint is written last, so that who reads meanwhile has the tree of before. Answers the tree. */
export async function appendEntry(
  folder: string,
  { entry, follows }: NewEntry,
  signer: NoteSigner,
): Promise<LogCheckpoint> {
  makeFolder(folder);
  return whileLocked(folder, "log", async () => {
    const read = logAt(folder);
    const before = await readCheckpoint(read, signer);
    const entries = await entriesOf(read, before?.size ?? 0);
    // Where nobody else writes: two releases at once must not both be found to be the highest.
    await follows(entries.at(-1));
    entries.push(entry);
    const tiles: Uint8Array[][] = [];
    let frontier = emptyFrontier;
    for (const [index, one] of entries.entries()) {
      // What is there must be what was signed: nothing is signed on top of anything else.
      if (before && index === before.size && compareBytes(await rootOf(frontier), before.root) !== 0)
        throw new TypeError("the log's entries are not those of its checkpoint");
      const grown = await grow(frontier, await leafHash(one));
      frontier = grown.frontier;
      for (const { height, hash } of grown.completed.filter(isTileNode)) {
        const level = height / TILE_HEIGHT;
        tiles[level] ??= [];
        tiles[level].push(hash);
      }
    }
    const write = async (
      level: Tile["level"],
      items: Uint8Array[],
      encode: (of: Uint8Array[]) => Uint8Array,
    ) => {
      const index = Math.floor((items.length - 1) / TILE_WIDTH);
      const last = items.slice(index * TILE_WIDTH);
      const path = join(folder, tilePath({ level, index, width: last.length }));
      makeFolder(dirname(path));
      await writeWhole(path, encode(last), { replace: true, mode: 0o644 });
    };
    await write("entries", entries, encodeBundle);
    for (const [level, hashes] of tiles.entries()) await write(level, hashes, (of) => concat(...of));
    const tree = { size: frontier.size, root: await rootOf(frontier) };
    await writeWhole(
      join(folder, "checkpoint"),
      utf8(await signCheckpoint(tree, signer, seconds(Date.now()))),
      {
        replace: true,
        mode: 0o644,
      },
    );
    return tree;
  });
}

/** Says again that the log's tree is what it was: for who asks how old its word is. Answers the tree; throws where the log has not begun. */
export async function signAgain(folder: string, signer: NoteSigner): Promise<LogCheckpoint> {
  return whileLocked(folder, "log", async () => {
    const tree = await readCheckpoint(logAt(folder), signer);
    if (tree === null) throw new TypeError("the log has no checkpoint");
    const note = utf8(await signCheckpoint(tree, signer, seconds(Date.now())));
    await writeWhole(join(folder, "checkpoint"), note, { replace: true, mode: 0o644 });
    return tree;
  });
}

async function readTile(read: ReadLog, tile: Tile): Promise<Uint8Array> {
  const bytes = await read(tilePath(tile));
  if (bytes === null) throw new TypeError(`the log has no ${tilePath(tile)}`);
  return bytes;
}

/** Of a tile, in the tree of that size: all of its hashes, or those that there are. */
function widthOf(level: number, index: number, size: number): number {
  return Math.min(TILE_WIDTH, Math.floor(size / TILE_WIDTH ** level) - index * TILE_WIDTH);
}
