/** The right edge of a tree: all that must be kept of it to add leaves and to say its root. */

import { EMPTY_ROOT, nodeHash } from "./hash.ts";

/** `hashes`: of the perfect subtrees that the leaves fall into, the largest first; one for each bit of `size`. */
export type Frontier = { size: number; hashes: readonly Uint8Array[] };

/** A perfect subtree: 2^height leaves, the first of which is leaf number `index` · 2^height. */
export type Node = { height: number; index: number; hash: Uint8Array };

export const emptyFrontier: Frontier = { size: 0, hashes: [] };

/** Adds a leaf by its hash. Answers the new frontier and the subtrees that it completes, the leaf among them. */
export async function grow(
  { size, hashes }: Frontier,
  leaf: Uint8Array,
): Promise<{ frontier: Frontier; completed: Node[] }> {
  const kept = [...hashes];
  let node: Node = { height: 0, index: size, hash: leaf };
  const completed = [node];
  for (let left = kept.at(-1); left !== undefined && node.index % 2 === 1; left = kept.at(-1)) {
    kept.pop();
    const hash = await nodeHash(left, node.hash);
    node = { height: node.height + 1, index: (node.index - 1) / 2, hash };
    completed.push(node);
  }
  return { frontier: { size: size + 1, hashes: [...kept, node.hash] }, completed };
}

/** The root (RFC 9162 §2.1.1). */
export async function rootOf({ hashes }: Frontier): Promise<Uint8Array> {
  let root = hashes.at(-1) ?? EMPTY_ROOT;
  for (const hash of hashes.slice(0, -1).toReversed()) root = await nodeHash(hash, root);
  return root;
}
