import { beforeEach, describe, expect, it } from "vitest";
import { parseRange } from "#protocol/byte-range.ts";
import { sqlStorage } from "#test/support/sql-storage.ts";
import {
  beginCompletion,
  findDocument,
  finishCompletion,
  insertDocument,
  listDocuments,
  markDeleted,
  recordMetadata,
  recordPart,
  setUpload,
  takenParts,
} from "./documents.ts";
import { MIGRATIONS } from "./schema.ts";

const MIB = 1024 * 1024;
const A1 = { account: "a1", client: "page" };
const BY = { client: "page" };
let sql: SqlStorage;
beforeEach(() => {
  sql = sqlStorage(MIGRATIONS);
});

function pending(account = "a1", now = 1000): string {
  const made = insertDocument(sql, { account, client: "page" }, now);
  if (!made.ok) throw new Error(made.reason);
  return made.value.id;
}
const row = (id: string) => {
  const found = findDocument(sql, id, BY, ["pending"]);
  if (!found.ok) throw new Error(found.reason);
  return found.value;
};
function complete(id: string, sizes = [100]) {
  for (const [i, size] of sizes.entries())
    recordPart(sql, id, { part: i + 1, etag: `e${i + 1}` }, size, 1000);
  recordMetadata(sql, id, 10, 1000);
  const parts = sizes.map((_, i) => ({ part: i + 1, etag: `e${i + 1}` }));
  const begun = beginCompletion(sql, row(id), { parts, size: sizes.reduce((a, b) => a + b) }, 1000);
  return begun.ok && finishCompletion(sql, id);
}

describe("documents", () => {
  it("lists complete ones alone, newest first, page by page", () => {
    const ids = Array.from({ length: 700 }, (_, i) => {
      const id = pending("a1", 1000 + Math.floor(i / 3));
      expect(complete(id)).toBe(true);
      return id;
    });
    pending();
    complete(pending("a2"));
    const foreign = pending();
    complete(foreign);
    sql.exec("UPDATE documents SET client = 'another app' WHERE id = ?", foreign);
    const first = listDocuments(sql, A1, undefined);
    if (!first.ok) throw new Error();
    expect(first.value.documents).toHaveLength(500);
    const second = listDocuments(sql, A1, first.value.cursor);
    if (!second.ok) throw new Error();
    expect(second.value.cursor).toBeUndefined();
    const listed = [...first.value.documents, ...second.value.documents];
    expect(new Set(listed.map(({ id }) => id))).toEqual(new Set(ids));
    expect(listed.map(({ created }) => created)).toEqual(
      listed.map(({ created }) => created).toSorted((a, b) => b - a),
    );
    expect(listDocuments(sql, A1, "!!")).toMatchObject({ problem: { code: "bad-request" } });
  });

  it("M13 are not there for other apps of the same account", () => {
    const id = pending();
    const other = { client: "another app" };
    expect(findDocument(sql, id, other, ["pending"])).toMatchObject({ problem: { code: "not-found" } });
    expect(listDocuments(sql, { ...A1, client: "another app" }, undefined)).toMatchObject({
      value: { documents: [] },
    });
  });

  it("are there in the states that are asked for, until they are deleted", () => {
    const id = pending();
    expect(findDocument(sql, "nothing", BY, ["pending"])).toMatchObject({
      problem: { code: "not-found" },
    });
    expect(findDocument(sql, id, BY, ["complete"])).toMatchObject({ problem: { code: "conflict" } });
    markDeleted(sql, id, 1000);
    expect(findDocument(sql, id, BY, ["pending"])).toMatchObject({ problem: { code: "not-found" } });
  });

  it("say which parts R2 has, in their order, until they are complete", () => {
    const id = pending();
    recordMetadata(sql, id, 10, 1000);
    recordPart(sql, id, { part: 2, etag: "e2" }, 50, 1000);
    recordPart(sql, id, { part: 1, etag: "e1" }, 100, 1000);
    expect(takenParts(sql, id)).toEqual([
      { part: 1, etag: "e1", size: 100 },
      { part: 2, etag: "e2", size: 50 },
    ]);
    const whole = pending();
    expect(complete(whole)).toBe(true);
    expect(takenParts(sql, whole)).toEqual([]);
  });

  it("become complete with all parts as taken, of even size, and metadata", () => {
    expect(complete(pending(), [8 * MIB, 8 * MIB, 1])).toBe(true);
    expect(complete(pending(), [8 * MIB, 6 * MIB, 1])).toBe(false);
    expect(complete(pending(), [MIB, MIB])).toBe(false);
    expect(complete(pending(), [8 * MIB, 9 * MIB])).toBe(false);
  });

  it("refuse a completion that does not fit", () => {
    const id = pending();
    recordPart(sql, id, { part: 1, etag: "e1" }, 100, 1000);
    const claim = { parts: [{ part: 1, etag: "e1" }], size: 100 };
    expect(beginCompletion(sql, row(id), claim, 1000)).toMatchObject({
      reason: "document has no metadata yet",
    });
    recordMetadata(sql, id, 10, 1000);
    for (const wrong of [
      { ...claim, size: 99 },
      { ...claim, parts: [{ part: 1, etag: "other" }] },
      { ...claim, parts: [{ part: 2, etag: "e1" }] },
      { ...claim, parts: [...claim.parts, { part: 2, etag: "e2" }] },
    ]) {
      expect(beginCompletion(sql, row(id), wrong, 1000)).toMatchObject({ problem: { code: "conflict" } });
    }
    expect(beginCompletion(sql, row(id), claim, 1000).ok).toBe(true);
    expect(finishCompletion(sql, id)).toBe(true);
    // By another attempt whose answer was lost.
    expect(finishCompletion(sql, id)).toBe(true);
    markDeleted(sql, id, 1000);
    expect(finishCompletion(sql, id)).toBe(false);
  });

  it("take a part again, but not after completion", () => {
    const id = pending();
    recordPart(sql, id, { part: 1, etag: "old" }, 50, 1000);
    expect(complete(id)).toBe(true);
    recordPart(sql, id, { part: 1, etag: "late" }, 70, 1000);
    expect([...sql.exec("SELECT * FROM parts")]).toEqual([]);
  });

  it("take the id that is chosen once: again only from the custodian that chose it, and before anything is uploaded", () => {
    const choose = (account: string, client = "page") =>
      insertDocument(sql, { account, client }, 1000, "chosen");
    expect(choose("a1")).toMatchObject({ ok: true, value: { id: "chosen", upload: null } });
    expect(setUpload(sql, "chosen", "first")).toBe(true);
    expect(setUpload(sql, "chosen", "second")).toBe(false);
    expect(choose("a1")).toMatchObject({ ok: true, value: { upload: "first" } });
    const taken = { reason: "document id is taken", problem: { code: "conflict" } };
    expect(choose("a2")).toMatchObject(taken);
    expect(choose("a1", "another app")).toMatchObject(taken);
    recordPart(sql, "chosen", { part: 1, etag: "e1" }, 100, 1000);
    expect(choose("a1")).toMatchObject(taken);
    expect(complete("chosen")).toBe(true);
    expect(choose("a1")).toMatchObject(taken);
    markDeleted(sql, "chosen", 1000);
    expect(choose("a1")).toMatchObject(taken);
  });

  it("that were completed before completions were noted are not completed again", () => {
    const id = pending();
    expect(complete(id)).toBe(true);
    const found = findDocument(sql, id, BY, ["complete"]);
    if (!found.ok) throw new Error(found.reason);
    const claim = { parts: [{ part: 1, etag: "e1" }], size: 100 };
    expect(beginCompletion(sql, found.value, claim, 1000, "digest")).toMatchObject({
      problem: { code: "conflict" },
    });
    expect(beginCompletion(sql, found.value, claim, 1000)).toMatchObject({ problem: { code: "conflict" } });
  });

  it("bound the open uploads of an account", () => {
    for (let i = 0; i < 64; i++) pending();
    expect(insertDocument(sql, { account: "a1", client: "page" }, 1000)).toMatchObject({
      problem: { code: "too-many-requests" },
    });
    expect(insertDocument(sql, { account: "a2", client: "page" }, 1000).ok).toBe(true);
  });
});

it.each([
  [null, null],
  ["bytes=0-0", { offset: 0, length: 1 }],
  ["bytes=2-5", { offset: 2, length: 4 }],
  ["bytes=2-", { offset: 2, length: 8 }],
  ["bytes=2-999", { offset: 2, length: 8 }],
  ["bytes=-3", { offset: 7, length: 3 }],
  ["bytes=-999", { offset: 0, length: 10 }],
  ["bytes=-0", "unsatisfiable"],
  ["bytes=10-", "unsatisfiable"],
  ["bytes=5-2", null],
  ["bytes=-", null],
  ["bytes=0-1,4-5", null],
  ["items=0-1", null],
])("range %j of 10 bytes", (header, range) => {
  expect(parseRange(header, 10)).toEqual(range);
});
