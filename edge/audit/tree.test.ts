import { describe, expect, it } from "vitest";
import { checkpointText } from "#protocol/audit/index.ts";
import { encodeBase64url } from "#protocol/base64url.ts";
import { encodeHex, utf8 } from "#protocol/bytes.ts";
import {
  decodeBundle,
  emptyFrontier,
  grow,
  inclusionProof,
  leafHash,
  nodesOfTiles,
  rootOf,
  tilePath,
  verifyInclusion,
} from "#protocol/log/index.ts";
import { sqlStorage } from "#test/support/sql-storage.ts";
import { frontierOf, leavesHere, moveTiles, SCHEMA, take } from "./tree.ts";

const head = (n: number) => encodeBase64url(new Uint8Array(32).fill(n));
const checkpoint = (source: string, sequence: number, n = sequence) => ({
  source,
  epoch: "e",
  sequence,
  head: head(n % 256),
});
const open = (): SqlStorage => sqlStorage([SCHEMA]);
const run = (closure: () => void) => closure();

async function filled(size: number) {
  const sql = open();
  const checkpoints = Array.from({ length: size }, (_, i) => checkpoint(`kms/${i % 3}`, i + 1));
  for (const each of checkpoints) expect(await take(sql, run, each)).toBe("next");
  return { sql, entries: checkpoints.map(checkpointText) };
}

function newBucket(fails = 0) {
  const objects = new Map<string, Uint8Array>();
  let left = fails;
  const put = async (key: string, bytes: ArrayBuffer) => {
    if (left-- > 0) throw new Error("away");
    objects.set(key, new Uint8Array(bytes.slice(0)));
  };
  return { objects, bucket: { put } as unknown as R2Bucket };
}

describe("the log", () => {
  it("takes what goes on, takes once what comes again, and nothing that goes back", async () => {
    const sql = open();
    expect(await take(sql, run, checkpoint("kms", 3))).toBe("next");
    expect(await take(sql, run, checkpoint("kms", 3))).toBe("same");
    expect(await take(sql, run, checkpoint("kms", 3, 9))).toBe("back");
    expect(await take(sql, run, checkpoint("kms", 2))).toBe("back");
    expect(await take(sql, run, checkpoint("iam", 2))).toBe("next");
    expect(await take(sql, run, checkpoint("kms", 4))).toBe("next");
    expect(frontierOf(sql).size).toBe(3);
    expect(leavesHere(sql, 0)).toHaveLength(3);
  });

  it("keeps its right edge alone, and the rest in tiles that prove each leaf", async () => {
    const { sql, entries } = await filled(600);
    const { objects, bucket } = newBucket();
    await moveTiles(sql, bucket, "acme");
    const whole = [0, 1].flatMap((index) => [
      `acme/log/${tilePath({ level: 0, index, width: 256 })}`,
      `acme/log/${tilePath({ level: "entries", index, width: 256 })}`,
    ]);
    expect([...objects.keys()].toSorted()).toEqual(whole.toSorted());
    expect(sql.exec("SELECT count(*) AS n FROM leaves").one().n).toBe(88);
    expect(leavesHere(sql, 2)).toEqual(entries.slice(512));
    expect(leavesHere(sql, 1)).toBeNull();
    const bundles = ["000", "001"].flatMap((n) => decodeBundle(objects.get(`acme/log/tile/entries/${n}`)!));
    expect(bundles.map((entry) => new TextDecoder().decode(entry))).toEqual(entries.slice(0, 512));

    let frontier = emptyFrontier;
    for (const entry of entries) ({ frontier } = await grow(frontier, await leafHash(utf8(entry))));
    const root = await rootOf(frontierOf(sql));
    expect(encodeHex(root)).toBe(encodeHex(await rootOf(frontier)));
    const node = nodesOfTiles(async (level, first, width) => {
      const tile = objects.get(`acme/log/${tilePath({ level, index: Math.floor(first / 256), width: 256 })}`);
      const bytes = (i: number) => tile!.subarray(((first + i) % 256) * 32, (((first + i) % 256) + 1) * 32);
      if (tile !== undefined) return Array.from({ length: width }, (_, i) => bytes(i));
      const nodes = sql.exec<{ hash: ArrayBuffer }>(
        "SELECT hash FROM nodes WHERE level = ? AND number >= ? ORDER BY number LIMIT ?",
        ...[level, first, width],
      );
      return nodes.toArray().map(({ hash }) => new Uint8Array(hash));
    });
    for (const index of [0, 255, 256, 511, 512, 599]) {
      const leaf = { index, hash: await leafHash(utf8(entries[index]!)) };
      const proof = await inclusionProof(index, 600, node);
      expect(await verifyInclusion(leaf, { size: 600, root }, proof), `${index}`).toBe(true);
    }
  });

  it("loses no tile when the bucket is away", async () => {
    const { sql, entries } = await filled(256);
    const { objects, bucket } = newBucket(1);
    await expect(moveTiles(sql, bucket, "acme")).rejects.toThrow("away");
    const here = leavesHere(sql, 0) as ArrayBuffer;
    expect(decodeBundle(new Uint8Array(here))).toHaveLength(entries.length);
    await moveTiles(sql, bucket, "acme");
    expect(objects.size).toBe(2);
    expect(leavesHere(sql, 0)).toBeNull();
  });
});
