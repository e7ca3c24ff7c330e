import { describe, expect, it } from "vitest";
import { type Link, verifyChain } from "#protocol/audit/index.ts";
import { sqlStorage } from "#test/support/sql-storage.ts";
import { append, headOf, SCHEMA } from "./append.ts";
import { closeSegments, type Segment, segmentPrefix } from "./segments.ts";

/** A chain of so many links, each chained at the time of its number. */
async function chained(length: number): Promise<SqlStorage> {
  const sql: SqlStorage = sqlStorage([SCHEMA]);
  await grow(sql, 1, length);
  return sql;
}

async function grow(sql: SqlStorage, first: number, last: number): Promise<void> {
  for (let outbox = first; outbox <= last; outbox++) {
    const row = { outbox, time: "t", action: "a", resource: "r", outcome: "allow", requestId: "q" } as const;
    const batch = { tenant: "acme", source: "kms/one", epoch: "e", rows: [row] };
    await append(sql, run, batch, { after: outbox - 1, now: outbox });
  }
}

const run = (closure: () => void) => closure();

/** A bucket that keeps what is there; `fails` puts do not arrive. */
function newBucket(fails = 0) {
  const objects = new Map<string, string>();
  let left = fails;
  const put = async (key: string, text: string, { onlyIf }: { onlyIf: Headers }) => {
    if (left-- > 0) throw new Error("away");
    if (onlyIf.get("if-none-match") === "*" && objects.has(key)) return null;
    objects.set(key, text);
    return {};
  };
  return { objects, bucket: { put } as unknown as R2Bucket };
}

const close = (sql: SqlStorage, bucket: R2Bucket, bound: number, before = 0) =>
  closeSegments(sql, run, bucket, { prefix: "acme/source/kms/one", bound, before });
const kept = (sql: SqlStorage) => [
  ...sql.exec<Link>("SELECT sequence, previous, entry, hash FROM links ORDER BY sequence"),
];
const segments = (sql: SqlStorage) => [...sql.exec<Segment>("SELECT * FROM segments ORDER BY first")];

/** The whole chain, as an export reads it. */
function whole(sql: SqlStorage, objects: Map<string, string>): Link[] {
  const stored = segments(sql).flatMap(({ key }) => objects.get(key)!.trimEnd().split("\n"));
  return [...stored.map((line) => JSON.parse(line) as Link), ...kept(sql)];
}

describe("segments", () => {
  it("take the oldest links when there are too many, and the chain goes on", async () => {
    const sql = await chained(12);
    const { objects, bucket } = newBucket();
    await close(sql, bucket, 5);
    expect(kept(sql).map(({ sequence }) => sequence)).toEqual([11, 12]);
    expect(segments(sql)).toMatchObject([
      { first: 1, last: 5 },
      { first: 6, last: 10 },
    ]);
    const [{ hash, key } = { hash: "", key: "" }] = segments(sql);
    expect(key).toBe(`acme/source/kms/one/0000000000000001-0000000000000005-${hash}.ndjson`);
    await grow(sql, 13, 14);
    expect(await verifyChain(whole(sql, objects))).toEqual(headOf(sql));
    expect(headOf(sql)).toMatchObject({ sequence: 14 });
  });

  it("take all once the oldest is too old, and the head stays", async () => {
    const sql = await chained(6);
    const { objects, bucket } = newBucket();
    const head = headOf(sql);
    await close(sql, bucket, 100);
    expect(segments(sql)).toEqual([]);
    await close(sql, bucket, 100, 1);
    expect(segments(sql)).toMatchObject([{ first: 1, last: 6 }]);
    expect(kept(sql)).toEqual([]);
    expect(headOf(sql)).toEqual(head);
    await grow(sql, 7, 8);
    expect(await verifyChain(whole(sql, objects))).toMatchObject({ sequence: 8 });
  });

  it("of a slow source are one in all the time that links are kept, not one an entry", async () => {
    const sql = await chained(1);
    const { objects, bucket } = newBucket();
    const keeping = 30;
    for (let now = 2; now <= 100; now++) {
      await grow(sql, now, now);
      await close(sql, bucket, 10_000, now - keeping);
      const [oldest] = kept(sql);
      expect(now - (oldest?.sequence ?? now)).toBeLessThan(keeping);
    }
    expect(segments(sql)).toHaveLength(3);
    expect(await verifyChain(whole(sql, objects))).toMatchObject({ sequence: 100 });
  });

  it("lose no link when the bucket is away, and store it once", async () => {
    const sql = await chained(12);
    const before = kept(sql);
    const { objects, bucket } = newBucket(1);
    await expect(close(sql, bucket, 5)).rejects.toThrow("away");
    expect(kept(sql)).toEqual(before);
    expect(segments(sql)).toEqual([]);
    await close(sql, bucket, 5);
    expect(whole(sql, objects)).toEqual(before);
  });

  it("are stored again after an end between the bucket and the object, and stay what they were", async () => {
    const sql = await chained(12);
    const before = kept(sql);
    const { objects, bucket } = newBucket();
    const ends = () => {
      throw new Error("ended");
    };
    const by = { prefix: "acme/source/kms/one", bound: 5, before: 0 };
    await expect(closeSegments(sql, ends, bucket, by)).rejects.toThrow("ended");
    expect(kept(sql)).toEqual(before);
    const first = [...objects];
    await close(sql, bucket, 5);
    expect([...objects].slice(0, 1)).toEqual(first);
    expect(whole(sql, objects)).toEqual(before);
  });

  it("of two sources never lie under one name", () => {
    const names = ["kms", "kms/one", "kms/a%2Fb", "kms/a b", "kms/..", "kms/a/b"];
    const prefixes = names.map((name) => segmentPrefix("acme", name));
    expect(new Set(prefixes).size).toBe(names.length);
    expect(prefixes[1]).toBe("acme/source/kms/one");
  });
});
