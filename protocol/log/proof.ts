/** Proofs that a leaf is in a tree, and that a tree goes on from a smaller one (RFC 9162 §2.1.3, §2.1.4). */

import { nodeHash } from "./hash.ts";

/** Gives the hash of a perfect subtree that is complete: 2^height leaves from leaf `index` · 2^height on. */
export type NodeReader = (height: number, index: number) => Promise<Uint8Array>;

/** Audit path of leaf `index` in the tree of `size` leaves (§2.1.3.1), from the leaf upward. Throws `RangeError`. */
export async function inclusionProof(index: number, size: number, node: NodeReader): Promise<Uint8Array[]> {
  if (!isIndex(index) || !isIndex(size) || index >= size) throw new RangeError("no such leaf");
  const path: Uint8Array[] = [];
  let [start, end] = [0, size];
  while (end - start > 1) {
    const middle = start + split(end - start);
    if (index < middle) {
      path.push(await rangeHash(middle, end, node));
      end = middle;
    } else {
      path.push(await rangeHash(start, middle, node));
      start = middle;
    }
  }
  return path.toReversed();
}

/** Proof that the tree of `size` leaves begins with the tree of `older` (§2.1.4.1). Throws `RangeError`. */
export async function consistencyProof(older: number, size: number, node: NodeReader): Promise<Uint8Array[]> {
  if (!isIndex(older) || !isIndex(size) || older > size) throw new RangeError("no such tree");
  if (older === 0 || older === size) return [];
  const path: Uint8Array[] = [];
  let [start, end] = [0, size];
  // The older tree's right edge is a whole subtree of both, or is cut.
  while (end !== older) {
    const middle = start + split(end - start);
    if (older <= middle) {
      path.push(await rangeHash(middle, end, node));
      end = middle;
    } else {
      path.push(await rangeHash(start, middle, node));
      start = middle;
    }
  }
  if (start !== 0) path.push(await rangeHash(start, end, node));
  return path.toReversed();
}

/** Whether the leaf with this hash is number `index` of the tree (§2.1.3.2). */
export async function verifyInclusion(
  leaf: { index: number; hash: Uint8Array },
  tree: { size: number; root: Uint8Array },
  proof: readonly Uint8Array[],
): Promise<boolean> {
  if (!isIndex(leaf.index) || !isIndex(tree.size) || leaf.index >= tree.size) return false;
  let [fn, sn] = [leaf.index, tree.size - 1];
  let hash = leaf.hash;
  for (const step of proof) {
    if (sn === 0 || step.length !== 32) return false;
    if (fn % 2 === 1 || fn === sn) {
      hash = await nodeHash(step, hash);
      while (fn % 2 === 0 && fn !== 0) [fn, sn] = [half(fn), half(sn)];
    } else hash = await nodeHash(hash, step);
    [fn, sn] = [half(fn), half(sn)];
  }
  return sn === 0 && equal(hash, tree.root);
}

/** Whether the tree begins with the older one (§2.1.4.2). Every tree begins with the empty one. */
export async function verifyConsistency(
  older: { size: number; root: Uint8Array },
  tree: { size: number; root: Uint8Array },
  proof: readonly Uint8Array[],
): Promise<boolean> {
  if (!isIndex(older.size) || !isIndex(tree.size) || older.size > tree.size) return false;
  if (older.size === tree.size) return proof.length === 0 && equal(older.root, tree.root);
  if (older.size === 0) return proof.length === 0;
  const path = isPowerOfTwo(older.size) ? [older.root, ...proof] : proof;
  const [first, ...steps] = path;
  if (first === undefined || path.some(({ length }) => length !== 32)) return false;
  let [fn, sn] = [older.size - 1, tree.size - 1];
  while (fn % 2 === 1) [fn, sn] = [half(fn), half(sn)];
  let [old, now] = [first, first];
  for (const step of steps) {
    if (sn === 0) return false;
    if (fn % 2 === 1 || fn === sn) {
      [old, now] = [await nodeHash(step, old), await nodeHash(step, now)];
      while (fn % 2 === 0 && fn !== 0) [fn, sn] = [half(fn), half(sn)];
    } else now = await nodeHash(now, step);
    [fn, sn] = [half(fn), half(sn)];
  }
  return sn === 0 && equal(old, older.root) && equal(now, tree.root);
}

/** Hash of the leaves from `start` up to `end`: a range that a tree's recursive split makes. */
async function rangeHash(start: number, end: number, node: NodeReader): Promise<Uint8Array> {
  const width = end - start;
  if (isPowerOfTwo(width)) return node(Math.log2(width), start / width);
  const middle = start + split(width);
  return nodeHash(await rangeHash(start, middle, node), await rangeHash(middle, end, node));
}

/** The largest power of two below `width`, which is 2 or more. */
function split(width: number): number {
  let power = 1;
  while (power * 2 < width) power *= 2;
  return power;
}

function isPowerOfTwo(width: number): boolean {
  return Number.isInteger(Math.log2(width));
}

// Shifts would cut numbers to 32 bits.
function half(number: number): number {
  return Math.floor(number / 2);
}

function isIndex(number: number): boolean {
  return Number.isSafeInteger(number) && number >= 0;
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
