import { beforeEach, expect, it } from "vitest";
import { sqlStorage } from "#test/support/sql-storage.ts";
import type { Store } from "../store.ts";
import { endDeleted, findDeletable, keepDocument, listDeleted, scheduleDeletion } from "./deletion.ts";
import {
  beginWhole,
  findDocument,
  finishCompletion,
  listDocuments,
  listNamed,
  readRow,
} from "./documents.ts";
import { usageOf } from "./quota.ts";
import { MIGRATIONS } from "./schema.ts";

const BY = { client: "page" };
const OTHER = { client: "another app" };
const A1 = { account: "a1", client: "page" };
const DAY = 86_400;
const DAY_MS = DAY * 1000;
let sql: SqlStorage;
let store: Store;
let rows: Parameters<Store["record"]>[0][];
beforeEach(() => {
  sql = sqlStorage(MIGRATIONS);
  rows = [];
  const record: Store["record"] = (row) => void rows.push(row);
  const flush = async () => {};
  store = {
    ...{ sql, tenant: "acme", record, recordBounded: record, flush },
    transaction: (closure) => closure(),
  };
});

let made = 0;
function stored(created = 1000): string {
  const id = `00000000-0000-8000-8000-${(++made).toString(16).padStart(12, "0")}`;
  beginWhole(sql, A1, { id, size: 100, metadata: 10, digest: id }, created);
  finishCompletion(sql, id, "etag");
  return id;
}
function decided<T>(decision: { ok: true; value: T } | { ok: false; reason: string }): T {
  if (!decision.ok) throw new Error(decision.reason);
  return decision.value;
}
const listed = () => decided(listDocuments(sql, A1, undefined)).documents.map(({ id }) => id);
const deleted = () => decided(listDeleted(sql, A1, undefined, 5000)).documents;
const schedule = (
  id: string,
  { days, now = 5000, by = BY }: { days?: number; now?: number; by?: typeof BY } = {},
) => scheduleDeletion(sql, id, by, { days, day: DAY, now });
const notFound = { problem: { code: "not-found" } };

it("is out of the list and read by nobody until its day, and counts in the quota", () => {
  const [id, other] = [stored(), stored()];
  const used = usageOf(sql, "a1");
  expect(decided(schedule(id, { days: 2 }))).toBe(5000 + 2 * DAY_MS);
  expect(listed()).toEqual([other]);
  expect(decided(listNamed(sql, A1, [id, other])).documents.map((row) => row.id)).toEqual([other]);
  expect(findDocument(sql, id, BY, ["complete"])).toMatchObject(notFound);
  expect(deleted()).toMatchObject([{ id, ends: 5 + 2 * DAY }]);
  expect(usageOf(sql, "a1")).toEqual(used);
  // Its id is not used again meanwhile.
  expect(beginWhole(sql, A1, { id, size: 1, metadata: 1, digest: "other" }, 1)).toMatchObject({ ok: false });
});

it("ends when it was to end, however often it is asked for", () => {
  const id = stored();
  const ends = decided(schedule(id, { days: 2 }));
  expect(decided(schedule(id, { days: 90, now: 9000 }))).toBe(ends);
  expect(decided(schedule(stored()))).toBe(5000 + 30 * DAY_MS);
});

it("is kept until its day, and not after", () => {
  const id = stored();
  const ends = decided(schedule(id, { days: 1 }));
  expect(keepDocument(sql, id, BY, ends - 1)).toMatchObject({ ok: true });
  expect(listed()).toEqual([id]);
  // The answer was lost.
  expect(keepDocument(sql, id, BY, ends - 1)).toMatchObject({ ok: true });
  schedule(id, { days: 1 });
  expect(keepDocument(sql, id, BY, ends)).toMatchObject(notFound);
  expect(decided(listDeleted(sql, A1, undefined, ends)).documents).toEqual([]);
  expect(endDeleted(store, ends - 1)).toBe(ends);
  expect(readRow(sql, id)?.state).toBe("complete");
  expect(rows).toEqual([]);
  expect(endDeleted(store, ends)).toBeNull();
  expect(readRow(sql, id)?.state).toBe("deleted");
  expect(usageOf(sql, "a1")).toEqual({ documents: 0, bytes: 0 });
});

it("leaves an audit row for each that ends on its day", () => {
  const due = [stored(), stored()];
  for (const id of due) schedule(id, { days: 1 });
  schedule(stored(), { days: 2 });
  expect(endDeleted(store, 5000 + DAY_MS)).toBe(5000 + 2 * DAY_MS);
  const said = rows.map(({ action, resource, outcome, user }) => [action, resource, outcome, user]);
  expect(new Set(said.map(([, resource]) => resource))).toEqual(new Set(due.map((id) => `document/${id}`)));
  for (const [action, , outcome, user] of said)
    expect([action, outcome, user]).toEqual(["datastore:delete", "allow", undefined]);
  expect(said).toHaveLength(2);
});

it("M13 is not there for another app, neither to delete, to keep nor to list", () => {
  const id = stored();
  expect(schedule(id, { by: OTHER })).toMatchObject(notFound);
  decided(schedule(id));
  expect(schedule(id, { by: OTHER })).toMatchObject(notFound);
  expect(keepDocument(sql, id, OTHER, 5000)).toMatchObject(notFound);
  expect(findDeletable(sql, id, OTHER)).toMatchObject(notFound);
  expect(decided(listDeleted(sql, { ...A1, ...OTHER }, undefined, 5000)).documents).toEqual([]);
});

it("is deleted for good before its day too, and an upload is not scheduled", () => {
  const id = stored();
  decided(schedule(id));
  expect(findDeletable(sql, id, BY)).toMatchObject({ value: { id } });
  const begun = "00000000-0000-8000-8000-ffffffffffff";
  beginWhole(sql, A1, { id: begun, size: 1, metadata: 1, digest: "d" }, 1);
  expect(schedule(begun)).toMatchObject({ problem: { code: "conflict" } });
  expect(keepDocument(sql, begun, BY, 1)).toMatchObject(notFound);
});

it("lists by pages what many have deleted", () => {
  const ids = Array.from({ length: 520 }, (_, at) => stored(at));
  for (const id of ids) decided(schedule(id));
  stored();
  const first = decided(listDeleted(sql, A1, undefined, 5000));
  const second = decided(listDeleted(sql, A1, first.cursor, 5000));
  expect(second.cursor).toBeUndefined();
  expect(new Set([...first.documents, ...second.documents].map(({ id }) => id))).toEqual(new Set(ids));
});
