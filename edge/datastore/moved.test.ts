import { beforeEach, expect, it } from "vitest";
import { sqlStorage } from "#test/support/sql-storage.ts";
import {
  beginCompletion,
  type DocumentRow,
  insertDocument,
  recordMetadata,
  recordPart,
} from "./documents.ts";
import { forgetAccount, insertMoved, type Moved, NOT_MOVED, pageOf } from "./moved.ts";
import { takeRoom, usageOf } from "./quota.ts";
import { MIGRATIONS, TENANT_MIGRATIONS } from "./schema.ts";

const QUOTA = { documents: 10_000, bytes: 1e9 };
let earlier: SqlStorage;
let own: SqlStorage;

beforeEach(() => {
  earlier = sqlStorage(TENANT_MIGRATIONS);
  own = sqlStorage(MIGRATIONS);
});

function upload(account: string, now: number, parts: number): string {
  const made = insertDocument(earlier, { account, client: `app ${now % 9}` }, now);
  if (!made.ok) throw new Error(made.reason);
  for (let part = 1; part <= parts; part++)
    recordPart(earlier, made.value.id, { part, etag: `e${part}` }, 9, now);
  recordMetadata(earlier, made.value.id, 5, now);
  return made.value.id;
}

function complete(id: string): void {
  earlier.exec("UPDATE documents SET state = 'complete', size = 9, etag = 'e' WHERE id = ?", id);
  earlier.exec("DELETE FROM parts WHERE document = ?", id);
}

function move(account: string): number {
  let pages = 0;
  let after: string | null = null;
  do {
    const page: { rows: Moved[]; next: string | null } = pageOf(earlier, account, after);
    for (const row of page.rows) insertMoved(own, row);
    after = page.next;
    pages++;
  } while (after !== null);
  return pages;
}

const rowsOf = (sql: SqlStorage, account: string) => ({
  // Copies for the list and deletions ahead came later, and are the account's own object's alone.
  documents: [...sql.exec("SELECT * FROM documents WHERE account = ? ORDER BY id", account)].map(
    ({ listed: _, listed_key: __, ends: ___, ...row }) => row,
  ),
  parts: [
    ...sql.exec(
      "SELECT p.* FROM parts p JOIN documents d ON d.id = document WHERE account = ? ORDER BY id, part",
      account,
    ),
  ],
  usage: usageOf(sql, account),
});

it("brings an account's documents and uploads as they are, in pages, and no other account's", () => {
  for (let i = 0; i < 1200; i++) complete(upload("a", i, 1));
  for (let i = 0; i < 40; i++) upload("a", i, 20);
  const completing = upload("a", 5000, 1);
  const [row] = earlier.exec<DocumentRow>("SELECT * FROM documents WHERE id = ?", completing).toArray();
  expect(beginCompletion(earlier, row!, { parts: [{ part: 1, etag: "e1" }], size: 9 }, 1, "digest").ok).toBe(
    true,
  );
  const writing = upload("a", 6000, 1);
  takeRoom(earlier, { id: writing, account: "a" }, 2, 70, QUOTA);
  complete(upload("b", 1, 1));
  const before = rowsOf(earlier, "a");
  const other = rowsOf(earlier, "b");
  expect(move("a")).toBeGreaterThan(3);
  expect(rowsOf(own, "a")).toEqual(before);
  expect(rowsOf(own, "b").documents).toEqual([]);
  // The same pages again, as after a crash.
  move("a");
  expect(rowsOf(own, "a")).toEqual(before);
  while (!forgetAccount(earlier, "a"));
  expect(rowsOf(earlier, "a")).toEqual({ documents: [], parts: [], usage: { documents: 0, bytes: 0 } });
  expect(rowsOf(earlier, "b")).toEqual(other);
  expect([...earlier.exec("SELECT * FROM moved")]).toEqual([]);
});

it("is left alone where it was from the first page on", () => {
  const [moved, left] = [upload("a", 1, 1), upload("b", 1, 1)];
  const swept = () =>
    earlier
      .exec<{ id: string }>(`SELECT id FROM documents WHERE ${NOT_MOVED}`)
      .toArray()
      .map(({ id }) => id);
  expect(swept().toSorted()).toEqual([moved, left].toSorted());
  pageOf(earlier, "a", null);
  expect(swept()).toEqual([left]);
});

it("notes nothing of an account that has nothing", () => {
  expect(pageOf(earlier, "made-up", null)).toEqual({ rows: [], next: null });
  expect([...earlier.exec("SELECT * FROM moved")]).toEqual([]);
});
