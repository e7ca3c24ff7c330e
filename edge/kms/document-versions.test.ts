import { expect, it } from "vitest";
import { bucketHash, rootOf, type VersionRow } from "#protocol/version-index.ts";
import { sqlStorage } from "#test/support/sql-storage.ts";
import { rootOfRows } from "#test/support/version-index.ts";
import {
  bucketsOf,
  changesAfter,
  endAllDocumentVersions,
  keepHashes,
  linesOf,
  putVersions,
  readIndex,
} from "./document-versions.ts";
import { MIGRATIONS } from "./schema.ts";

const APP = "page";
const setup = (): SqlStorage => sqlStorage(MIGRATIONS);

/** Ids that lie in bucket `at` modulo 256. */
const idOf = (at: number) =>
  `00000000-0000-8000-8000-${at.toString(16).padStart(10, "0")}${(at % 256).toString(16).padStart(2, "0")}`;
const digestOf = (of: string) => of.padEnd(43, "A");
const row = (at: number, version = 1, of = "a"): VersionRow => ({
  ...{ document: idOf(at), version, messageId: digestOf(of) },
  ...{ headerDigest: digestOf(of), metadataDigest: digestOf(of) },
});
const gone = (at: number): VersionRow => ({ document: idOf(at), version: 1, deleted: true });

function put(
  sql: SqlStorage,
  rows: VersionRow[],
  more: { founded?: boolean; app?: string; most?: number } = {},
) {
  const { app = APP, most, founded } = more;
  return putVersions(sql, app, { rows, ...(founded && { founded }) }, most);
}

/** The root as a reader makes it of all rows, and as it is made here of the hashes that are kept. */
async function roots(sql: SqlStorage) {
  const all = changesAfter(sql, APP, 0, 10_000).rows;
  const read = await rootOfRows(all);
  const buckets = bucketsOf(sql, APP);
  const stale = buckets.filter(({ changed, hashed }) => changed !== hashed);
  const hashed = await Promise.all(
    stale.map(async (each) => ({ ...each, hash: await bucketHash(linesOf(sql, APP, each.bucket)) })),
  );
  keepHashes(sql, APP, hashed);
  const kept = new Map(bucketsOf(sql, APP).map(({ bucket, hash }) => [bucket, hash]));
  return { read, made: await rootOf(kept), hashed: stale.length };
}

it("enters a version in the place of the one before it and of no other, and the same row again as the first time", () => {
  const sql = setup();
  expect(put(sql, [row(1), row(2)])).toEqual({
    ok: true,
    value: { sequence: 2, founded: false, conflicts: [] },
  });
  expect(put(sql, [row(1)])).toMatchObject({ value: { sequence: 2, conflicts: [] } });
  // Another content as the version that stands; a version too far; the first version of nothing.
  const [document, standing] = [idOf(1), row(1)];
  expect(put(sql, [row(1, 1, "b")])).toMatchObject({
    value: { sequence: 2, conflicts: [{ document, standing }] },
  });
  expect(put(sql, [row(1, 3, "b")])).toMatchObject({ value: { conflicts: [{ document, standing }] } });
  expect(put(sql, [row(9, 2)])).toMatchObject({ value: { conflicts: [{ document: idOf(9) }] } });
  expect(put(sql, [row(1, 2, "b"), row(2, 7)])).toMatchObject({
    value: { sequence: 3, conflicts: [{ document: idOf(2), standing: row(2) }] },
  });
  expect(changesAfter(sql, APP, 0)).toMatchObject({ rows: [row(2), row(1, 2, "b")], sequence: 3, all: true });
});

it("keeps that a document is deleted, and lets a new version alone follow", () => {
  const sql = setup();
  put(sql, [row(1)]);
  expect(put(sql, [gone(1), gone(2)])).toMatchObject({ value: { sequence: 2, conflicts: [] } });
  expect(put(sql, [gone(1)])).toMatchObject({ value: { sequence: 2 } });
  expect(changesAfter(sql, APP, 0).rows).toEqual([{ document: idOf(1), version: 2, deleted: true }]);
  expect(put(sql, [row(1)])).toMatchObject({
    value: { conflicts: [{ standing: { version: 2, deleted: true } }] },
  });
  expect(put(sql, [row(1, 3)])).toMatchObject({ value: { sequence: 3, conflicts: [] } });
});

it("tells what has changed since a cursor, in pages, and nothing else", () => {
  const sql = setup();
  put(
    sql,
    Array.from({ length: 7 }, (_, at) => row(at)),
  );
  const first = changesAfter(sql, APP, 0, 5);
  expect(first).toMatchObject({ sequence: 5, all: false });
  // Between two pages a row of the first one changes: it comes again.
  put(sql, [row(0, 2)]);
  const second = changesAfter(sql, APP, first.sequence, 5);
  expect(second).toMatchObject({ rows: [row(5), row(6), row(0, 2)], sequence: 8, all: true });
  expect(changesAfter(sql, APP, 8)).toMatchObject({ rows: [], sequence: 8, all: true, again: false });
  expect(changesAfter(sql, "other", 0)).toMatchObject({ rows: [], sequence: 0 });
});

it("M13 has an index for each app", () => {
  const sql = setup();
  put(sql, [row(1)], { founded: true });
  expect(readIndex(sql, "other")).toMatchObject({ founded: 0, held: 0 });
  expect(changesAfter(sql, "other", 0).rows).toEqual([]);
  expect(put(sql, [row(1, 1, "b")], { app: "other" })).toMatchObject({
    value: { founded: false, conflicts: [] },
  });
  expect(changesAfter(sql, APP, 0).rows).toEqual([row(1)]);
});

it("has the root over all rows by hashing the buckets alone that have changed", async () => {
  const sql = setup();
  put(
    sql,
    Array.from({ length: 600 }, (_, at) => row(at)),
  );
  const whole = await roots(sql);
  expect(whole).toMatchObject({ made: whole.read, hashed: 256 });
  put(sql, [row(3, 2), row(259, 2), gone(4)]);
  const changed = await roots(sql);
  expect(changed).toMatchObject({ made: changed.read, hashed: 2 });
  expect(changed.read).not.toBe(whole.read);
  expect((await roots(sql)).hashed).toBe(0);
  // What was hashed before a change that came meanwhile stays to be hashed.
  put(sql, [row(5, 2)]);
  const [stale] = bucketsOf(sql, APP).filter(({ changed, hashed }) => changed !== hashed);
  const hash = await bucketHash(linesOf(sql, APP, 5));
  put(sql, [row(5, 3)]);
  keepHashes(sql, APP, [{ ...stale!, hash }]);
  const after = await roots(sql);
  expect(after).toMatchObject({ made: after.read, hashed: 1 });
});

it("has another root for each thing that a row says", async () => {
  const whole = { ...row(1), keyRecordDigest: digestOf("k") };
  const { messageId: _, ...without } = whole;
  const others: VersionRow[] = [
    ...[without, { ...whole, version: 2 }, { ...whole, document: idOf(257) }, { ...whole, deleted: true }],
    ...(["messageId", "headerDigest", "metadataDigest", "keyRecordDigest"] as const).map((member) => ({
      ...whole,
      [member]: digestOf("z"),
    })),
    { ...whole, messageId: whole.keyRecordDigest, keyRecordDigest: digestOf("a") },
  ];
  const made = await Promise.all([[whole], ...others.map((other) => [other]), []].map(rootOfRows));
  expect(new Set(made).size).toBe(made.length);
});

it("has no more rows than it may, drops those of deleted documents first, and has everybody read again then", async () => {
  const sql = setup();
  const most = 4;
  put(sql, [row(1), row(2), row(3), gone(2), row(4)], { most });
  expect(put(sql, [row(5)], { most })).toMatchObject({ value: { sequence: 7, conflicts: [] } });
  expect(changesAfter(sql, APP, 5)).toMatchObject({ again: true, rows: [row(1), row(3), row(4), row(5)] });
  const { read, made } = await roots(sql);
  expect(made).toBe(read);
  expect(put(sql, [row(6)], { most })).toMatchObject({ ok: false, problem: { code: "quota-exceeded" } });
  // What came before the row that is refused stands.
  expect(put(sql, [gone(5), row(6), row(7)], { most })).toMatchObject({ ok: false });
  expect(put(sql, [row(6)], { most })).toMatchObject({ value: { conflicts: [] } });
  expect((await roots(sql)).made).toBe((await roots(sql)).read);
  // What is there can be changed and deleted nevertheless.
  expect(put(sql, [row(6, 2)], { most })).toMatchObject({ value: { conflicts: [] } });
  expect(put(sql, [gone(6)], { most })).toMatchObject({ value: { conflicts: [] } });
});

it("W11 an account that is shredded has no row left", () => {
  const sql = setup();
  put(sql, [row(1)], { founded: true });
  endAllDocumentVersions(sql);
  expect(changesAfter(sql, APP, 0).rows).toEqual([]);
  expect(readIndex(sql, APP)).toMatchObject({ sequence: 0, held: 0 });
  expect(bucketsOf(sql, APP)).toHaveLength(0);
});

it("an index of another client goes on from where the account's others are, and has whoever read those begin again", () => {
  const sql = setup();
  for (const at of [1, 2, 3]) put(sql, [row(at)]);
  const { sequence } = readIndex(sql, APP);
  const before = readIndex(sql, "another");
  expect(before.sequence).toBeGreaterThan(sequence);
  expect(changesAfter(sql, "another", sequence)).toMatchObject({ rows: [], again: true });
  expect(put(sql, [row(4)], { app: "another" })).toMatchObject({
    ok: true,
    value: { sequence: before.sequence + 1 },
  });
  expect(changesAfter(sql, "another", before.sequence)).toMatchObject({ rows: [row(4)], again: false });
  // The first of an account counts from none.
  expect(readIndex(setup(), APP)).toMatchObject({ sequence: 0, dropped: 0 });
});

const lead = (at: number, over: number, first = 1) => ({
  ...{ document: idOf(at), first: idOf(first), over: idOf(over) },
});
const follow = (sql: SqlStorage, rows: VersionRow[], leads: ReturnType<typeof lead>[]) =>
  putVersions(sql, APP, { rows, leads });
const conflictsOf = (answer: ReturnType<typeof follow>) =>
  answer.ok ? answer.value.conflicts.map(({ document, standing }) => [document, standing?.document]) : answer;

it("lets one document follow another as the newest version, and tells every other which one stands", () => {
  const sql = setup();
  put(sql, [row(1)]);
  expect(conflictsOf(follow(sql, [row(2)], [lead(2, 1)]))).toEqual([]);
  // The same again, whose answer was lost.
  expect(conflictsOf(follow(sql, [row(2)], [lead(2, 1)]))).toEqual([]);
  expect(conflictsOf(follow(sql, [row(3)], [lead(3, 1)]))).toEqual([[idOf(3), idOf(2)]]);
  expect(changesAfter(sql, APP, 0).rows.map(({ document }) => document)).toEqual([idOf(1), idOf(2)]);
  expect(conflictsOf(follow(sql, [row(3)], [lead(3, 2)]))).toEqual([]);
  // One of another document in the same request is entered.
  expect(conflictsOf(follow(sql, [row(4), row(5)], [lead(4, 2), lead(5, 5, 5)]))).toEqual([
    [idOf(4), idOf(3)],
  ]);
  // The newest is deleted: what stands of the others may be followed, and what does not may not.
  put(sql, [gone(3)]);
  expect(conflictsOf(follow(sql, [row(4)], [lead(4, 3)]))).toEqual([[idOf(4), idOf(3)]]);
  expect(conflictsOf(follow(sql, [row(4)], [lead(4, 2)]))).toEqual([]);
  // Another app's are others.
  expect(putVersions(sql, "another", { rows: [row(9)], leads: [lead(9, 1)] })).toMatchObject({
    value: { conflicts: [] },
  });
  endAllDocumentVersions(sql);
  expect([...sql.exec("SELECT 1 FROM document_series")]).toEqual([]);
});

it("answers a version whose answer was lost as the first time, though it has been followed or what it followed is gone", () => {
  const sql = setup();
  put(sql, [row(1)]);
  for (const at of [2, 3]) expect(conflictsOf(follow(sql, [row(at)], [lead(at, at - 1)]))).toEqual([]);
  expect(conflictsOf(follow(sql, [row(2)], [lead(2, 1)]))).toEqual([]);
  expect([...sql.exec("SELECT newest FROM document_series")]).toEqual([{ newest: idOf(3) }]);
  // Which it may not be as another content.
  expect(conflictsOf(follow(sql, [row(2, 2, "b")], [lead(2, 1)]))).toEqual([[idOf(2), idOf(3)]]);
  put(sql, [gone(1), gone(3)]);
  expect(conflictsOf(follow(sql, [row(2)], [lead(2, 1)]))).toEqual([]);
});

it("lets no document leave the versions whose newest it is, and keeps no more about newest versions than there are documents", () => {
  const sql = setup();
  put(sql, [row(1)]);
  expect(conflictsOf(follow(sql, [row(1)], [lead(1, 1, 2)]))).toEqual([]);
  for (let first = 3; first < 40; first++)
    expect(conflictsOf(follow(sql, [row(1)], [lead(1, 1, first)]))).toEqual([[idOf(1), idOf(1)]]);
  expect([...sql.exec("SELECT * FROM document_series")]).toEqual([
    { client: APP, first: idOf(2), newest: idOf(1) },
  ]);
  put(sql, [gone(1)]);
  expect([...sql.exec("SELECT * FROM document_series")]).toEqual([]);
});
