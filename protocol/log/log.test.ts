import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeHex, encodeHex, utf8 } from "../bytes.ts";
import {
  consistencyProof,
  decodeBundle,
  emptyFrontier,
  encodeBundle,
  grow,
  inclusionProof,
  isTileNode,
  leafHash,
  type NodeReader,
  nodesOfTiles,
  parseTilePath,
  rootOf,
  tilePath,
  verifyConsistency,
  verifyInclusion,
} from "./index.ts";

/** The definition of RFC 9162 §2.1.1, as it stands there, on another implementation of SHA-256. */
function treeHash(leaves: readonly Uint8Array[]): Buffer {
  const sha256 = (...parts: Uint8Array[]) => createHash("sha256").update(Buffer.concat(parts)).digest();
  if (leaves.length === 0) return sha256();
  if (leaves.length === 1) return sha256(Uint8Array.of(0), leaves[0]!);
  const k = 2 ** Math.floor(Math.log2(leaves.length - 1));
  return sha256(Uint8Array.of(1), treeHash(leaves.slice(0, k)), treeHash(leaves.slice(k)));
}

/** A tree that keeps what a log keeps: the frontier and the hashes that are in tiles. */
async function treeOf(leaves: readonly Uint8Array[]) {
  let frontier = emptyFrontier;
  const levels: Uint8Array[][] = [];
  for (const leaf of leaves) {
    const grown = await grow(frontier, await leafHash(leaf));
    frontier = grown.frontier;
    for (const node of grown.completed.filter(isTileNode)) {
      levels[node.height / 8] ??= [];
      levels[node.height / 8]![node.index] = node.hash;
    }
  }
  const node: NodeReader = nodesOfTiles(async (level, first, width) => {
    expect(Math.floor(first / 256)).toBe(Math.floor((first + width - 1) / 256));
    return levels[level]?.slice(first, first + width) ?? [];
  });
  return { root: await rootOf(frontier), size: frontier.size, node };
}

const numbered = (size: number) => Array.from({ length: size }, (_, i) => utf8(`leaf ${i}`));
const hex = (hashes: readonly Uint8Array[]) => hashes.map(encodeHex);

/** Vectors of the reference implementation of Certificate Transparency: roots of the first 0 to 8 leaves. */
const LEAVES = [
  "",
  "00",
  "10",
  "2021",
  "3031",
  "40414243",
  "5051525354555657",
  "606162636465666768696a6b6c6d6e6f",
];
const ROOTS = [
  "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
  "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
  "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
  "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
  "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
  "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
  "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
  "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
  "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];
const A = "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7";
const B = "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e";
const C = "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4";
const D = "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b";
const E = "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0";
const F = "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a";

describe("the vectors of Certificate Transparency", () => {
  const leaves = LEAVES.map(decodeHex);

  it.each(ROOTS.map((root, size) => ({ size, root })))("root of $size leaves", async ({ size, root }) => {
    expect(encodeHex((await treeOf(leaves.slice(0, size))).root)).toBe(root);
  });

  it.each([
    { index: 0, size: 8, proof: [A, B, C] },
    { index: 5, size: 8, proof: [D, E, ROOTS[4]!] },
    { index: 0, size: 1, proof: [] },
  ])("inclusion of leaf $index in $size", async ({ index, size, proof }) => {
    const { node, root } = await treeOf(leaves.slice(0, size));
    expect(hex(await inclusionProof(index, size, node))).toEqual(proof);
    const leaf = { index, hash: await leafHash(leaves[index]!) };
    expect(await verifyInclusion(leaf, { size, root }, proof.map(decodeHex))).toBe(true);
  });

  it.each([
    { older: 1, size: 8, proof: [A, B, C] },
    { older: 6, size: 8, proof: [F, E, ROOTS[4]!] },
    { older: 2, size: 5, proof: [B, D] },
    { older: 1, size: 1, proof: [] },
  ])("consistency of $older with $size", async ({ older, size, proof }) => {
    const { node, root } = await treeOf(leaves.slice(0, size));
    expect(hex(await consistencyProof(older, size, node))).toEqual(proof);
    const before = { size: older, root: decodeHex(ROOTS[older]!) };
    expect(await verifyConsistency(before, { size, root }, proof.map(decodeHex))).toBe(true);
  });
});

describe("a tree that grows leaf by leaf", () => {
  it("has the roots of the definition, also beyond a tile", async () => {
    for (const size of [0, 1, 2, 3, 7, 64, 255, 256, 257, 511, 600])
      expect(encodeHex((await treeOf(numbered(size))).root), `${size}`).toBe(
        treeHash(numbered(size)).toString("hex"),
      );
  });

  it("proves that every leaf is in it, and that it begins with every older tree", async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 700 }), fc.nat(), fc.nat(), async (size, a, b) => {
        const leaves = numbered(size);
        const { node, root } = await treeOf(leaves);
        const [index, older] = [a % size, b % (size + 1)];
        const leaf = { index, hash: await leafHash(leaves[index]!) };
        const inclusion = await inclusionProof(index, size, node);
        expect(await verifyInclusion(leaf, { size, root }, inclusion)).toBe(true);
        const before = { size: older, root: treeHash(leaves.slice(0, older)) };
        const consistency = await consistencyProof(older, size, node);
        expect(await verifyConsistency(before, { size, root }, consistency)).toBe(true);
      }),
      { numRuns: 20 },
    );
  });

  it("keeps at its edge one hash for each bit of its size, and tells each subtree once", async () => {
    let frontier = emptyFrontier;
    const told = new Set<string>();
    for (const leaf of numbered(300)) {
      const grown = await grow(frontier, await leafHash(leaf));
      frontier = grown.frontier;
      for (const { height, index } of grown.completed) {
        expect(told.has(`${height}/${index}`)).toBe(false);
        told.add(`${height}/${index}`);
      }
      expect(frontier.hashes).toHaveLength(frontier.size.toString(2).replaceAll("0", "").length);
    }
    expect(told.size).toBe(300 + 150 + 75 + 37 + 18 + 9 + 4 + 2 + 1);
  });
});

describe("refuses", () => {
  const SIZE = 13;

  it("every proof of inclusion that was changed, cut, made longer or is of another leaf or tree", async () => {
    const { node, root } = await treeOf(numbered(SIZE));
    const tree = { size: SIZE, root };
    for (let index = 0; index < SIZE; index++) {
      const leaf = { index, hash: await leafHash(utf8(`leaf ${index}`)) };
      const proof = await inclusionProof(index, SIZE, node);
      expect(await verifyInclusion(leaf, tree, proof)).toBe(true);
      for (const wrong of spoiled(proof)) expect(await verifyInclusion(leaf, tree, wrong)).toBe(false);
      for (let other = 0; other <= SIZE; other++)
        if (other !== index)
          expect(await verifyInclusion({ ...leaf, index: other }, tree, proof)).toBe(false);
      const wrong = { index, hash: await leafHash(utf8("another")) };
      expect(await verifyInclusion(wrong, tree, proof)).toBe(false);
      expect(await verifyInclusion(leaf, { size: SIZE, root: leaf.hash }, proof)).toBe(false);
      expect(await verifyInclusion(leaf, { size: index, root }, proof)).toBe(false);
    }
    for (const index of [-1, 0.5, Number.NaN])
      expect(await verifyInclusion({ index, hash: root }, tree, [])).toBe(false);
  });

  it("every proof of consistency that was changed, cut, made longer or is of another tree", async () => {
    const leaves = numbered(SIZE);
    const { node, root } = await treeOf(leaves);
    const tree = { size: SIZE, root };
    for (let size = 1; size < SIZE; size++) {
      const older = { size, root: treeHash(leaves.slice(0, size)) };
      const proof = await consistencyProof(size, SIZE, node);
      expect(await verifyConsistency(older, tree, proof)).toBe(true);
      for (const wrong of spoiled(proof)) expect(await verifyConsistency(older, tree, wrong)).toBe(false);
      const forked = { size, root: treeHash([...leaves.slice(0, size - 1), utf8("another")]) };
      expect(await verifyConsistency(forked, tree, proof)).toBe(false);
      expect(await verifyConsistency(older, { size: SIZE, root: older.root }, proof)).toBe(false);
      expect(await verifyConsistency(tree, older, proof)).toBe(false);
      for (let other = 1; other < SIZE; other++)
        if (other !== size)
          expect(await verifyConsistency({ ...older, size: other }, tree, proof)).toBe(false);
    }
  });

  it("two roots of one size, a proof where none is needed, and proofs of what is not there", async () => {
    const { node, root } = await treeOf(numbered(4));
    const other = treeHash(numbered(3));
    expect(await verifyConsistency({ size: 4, root }, { size: 4, root }, [])).toBe(true);
    expect(await verifyConsistency({ size: 4, root: other }, { size: 4, root }, [])).toBe(false);
    expect(await verifyConsistency({ size: 4, root }, { size: 4, root }, [other])).toBe(false);
    expect(await verifyConsistency({ size: 0, root: other }, { size: 4, root }, [other])).toBe(false);
    await expect(inclusionProof(4, 4, node)).rejects.toThrow("no such leaf");
    await expect(consistencyProof(5, 4, node)).rejects.toThrow("no such tree");
  });

  /** Every proof that is not quite this one. */
  function spoiled(proof: readonly Uint8Array[]): Uint8Array[][] {
    const changed = proof.map((hash, i) => proof.with(i, hash.with(31, hash[31]! ^ 1)));
    const swapped = proof.slice(1).map((hash, i) => proof.with(i, hash).with(i + 1, proof[i]!));
    const removed = proof.map((_, i) => proof.toSpliced(i, 1));
    const cut = proof.map((hash, i) => proof.with(i, hash.subarray(1)));
    return [...changed, ...swapped, ...removed, ...cut, [...proof, new Uint8Array(32)]];
  }
});

describe("tiles", () => {
  it.each([
    [{ level: 0, index: 0, width: 256 }, "tile/0/000"],
    [{ level: 1, index: 1234067, width: 256 }, "tile/1/x001/x234/067"],
    [{ level: 63, index: 999, width: 8 }, "tile/63/999.p/8"],
    [{ level: "entries", index: 1000, width: 112 }, "tile/entries/x001/000.p/112"],
    [{ level: 0, index: 9007199254740991, width: 256 }, "tile/0/x009/x007/x199/x254/x740/991"],
  ] as const)("%o has one path", (tile, path) => {
    expect(tilePath(tile)).toBe(path);
    expect(parseTilePath(path)).toEqual(tile);
  });

  it.each([
    ..."tile/0/0|tile/0/x000/001|tile/00/001|tile/64/001|tile/0/1234|tile/0/001/002|tile/0/x001|/tile/0/001".split(
      "|",
    ),
    ..."tile/0/001.p/0|tile/0/001.p/256|tile/0/001.p/257|tile/0/001.p/08|tile/0/001/|tile/data/001|../tile/0/001".split(
      "|",
    ),
    "tile/0/x009/x007/x199/x254/x740/992",
  ])("there is no tile at %s", (path) => expect(parseTilePath(path)).toBeNull());

  it("cannot be wider than 256, nor before the first", () => {
    for (const tile of [
      { index: 0, width: 257 },
      { index: 0, width: 0 },
      { index: -1, width: 1 },
      { index: 0.5, width: 1 },
    ])
      expect(() => tilePath({ level: 0, ...tile })).toThrow("no such tile");
  });

  it("bundles give back their entries, and are refused when cut off", () => {
    const entries = [utf8("a"), new Uint8Array(0), new Uint8Array(65_535).fill(7)];
    const bundle = encodeBundle(entries);
    expect(encodeHex(bundle.subarray(0, 5))).toBe("0001610000");
    expect(decodeBundle(bundle).map((entry) => [...entry])).toEqual(entries.map((entry) => [...entry]));
    expect(() => decodeBundle(bundle.subarray(0, -1))).toThrow("cut off");
    expect(() => decodeBundle(bundle.subarray(0, 4))).toThrow("cut off");
    expect(() => encodeBundle([new Uint8Array(65_536)])).toThrow("too long");
  });
});
