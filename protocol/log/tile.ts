/**
 * Tiles (c2sp.org/tlog-tiles): a tree as files of 256 hashes, each written once. Level L has the subtrees of height 8 · L.
 * A bundle has the entries under a tile of level 0. What is at the right edge is partial, and named by its width.
 */

import { concat } from "../bytes.ts";
import { nodeHash } from "./hash.ts";
import type { NodeReader } from "./proof.ts";

export const TILE_HEIGHT = 8;
export const TILE_WIDTH = 256;
const MAX_LEVEL = 63;
const MAX_ENTRY = 0xffff;

/** `level`: 0 to 63, or `entries` for a bundle. `width`: hashes or entries in it, 1 to 256. */
export type Tile = { level: number | "entries"; index: number; width: number };

/** `tile/<L>/<N>` with `.p/<W>` where it is partial; N in groups of three digits, all but the last with an `x` before. */
export function tilePath({ level, index, width }: Tile): string {
  if (!Number.isSafeInteger(index) || index < 0 || width < 1 || width > TILE_WIDTH)
    throw new RangeError("no such tile");
  const groups = [index % 1000];
  for (let rest = Math.floor(index / 1000); rest > 0; rest = Math.floor(rest / 1000))
    groups.push(rest % 1000);
  const [last, ...others] = groups.map((group) => String(group).padStart(3, "0"));
  const number = [...others.toReversed().map((group) => `x${group}`), last].join("/");
  return `tile/${level}/${number}${width < TILE_WIDTH ? `.p/${width}` : ""}`;
}

/** Reads what `tilePath` writes, and nothing else: null for every other spelling. */
export function parseTilePath(path: string): Tile | null {
  const match = /^tile\/(entries|\d{1,2})\/((?:x\d{3}\/){0,5}\d{3})(?:\.p\/(\d{1,3}))?$/.exec(path);
  if (match === null) return null;
  const [, name, number = "", partial] = match;
  const level = name === "entries" ? name : Number(name);
  const index = Number(number.replaceAll(/[x/]/g, ""));
  const width = partial === undefined ? TILE_WIDTH : Number(partial);
  if (level !== "entries" && level > MAX_LEVEL) return null;
  if (!Number.isSafeInteger(index) || width < 1 || width > TILE_WIDTH) return null;
  const tile: Tile = { level, index, width };
  return tilePath(tile) === path ? tile : null;
}

/** Each entry with its length before it, 16 bits, the high byte first. Throws `RangeError` for one above 65,535 bytes. */
export function encodeBundle(entries: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  return concat(
    ...entries.flatMap((entry) => {
      if (entry.length > MAX_ENTRY) throw new RangeError("an entry is too long for a bundle");
      return [Uint8Array.of(entry.length >> 8, entry.length & 0xff), entry];
    }),
  );
}

/** Throws `TypeError` for bytes that are cut off. */
export function decodeBundle(bytes: Uint8Array): Uint8Array[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const entries: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; ) {
    if (at + 2 > bytes.length) throw new TypeError("a bundle is cut off");
    const end = at + 2 + view.getUint16(at);
    if (end > bytes.length) throw new TypeError("a bundle is cut off");
    entries.push(bytes.subarray(at + 2, end));
    at = end;
  }
  return entries;
}

/** Whether a node is one of a tile's hashes; the others are computed from them. */
export function isTileNode({ height }: { height: number }): boolean {
  return height % TILE_HEIGHT === 0;
}

/** Reads nodes from tiles. `read` gives `width` hashes of a level from number `first` on, which all lie in one tile. */
export function nodesOfTiles(
  read: (level: number, first: number, width: number) => Promise<Uint8Array[]>,
): NodeReader {
  return async (height, index) => {
    const level = Math.floor(height / TILE_HEIGHT);
    const width = 2 ** (height % TILE_HEIGHT);
    let hashes = await read(level, index * width, width);
    if (hashes.length !== width) throw new RangeError("a tile lacks hashes");
    while (hashes.length > 1) {
      const pairs = Array.from({ length: hashes.length / 2 }, (_, i) => hashes.slice(2 * i, 2 * i + 2));
      hashes = await Promise.all(
        pairs.map(([left, right]) => nodeHash(left as Uint8Array, right as Uint8Array)),
      );
    }
    return hashes[0] as Uint8Array;
  };
}
