import { beforeEach, expect, it } from "vitest";
import { sqlStorage } from "#test/sql-storage.ts";
import { insertDocument, markDeleted, recordMetadata, recordPart } from "./documents.ts";
import { checkPart, checkRoom, configuredQuota, usageOf } from "./quota.ts";
import { MIGRATIONS } from "./schema.ts";

const OWNER = { account: "a", client: "app" };
let sql: SqlStorage;
beforeEach(() => {
  sql = sqlStorage(MIGRATIONS);
});

function open(owner = OWNER): string {
  const made = insertDocument(sql, owner, 1);
  if (!made.ok) throw new Error(made.reason);
  return made.value.id;
}
const part = (id: string, n: number, size: number) => recordPart(sql, id, { part: n, etag: "e" }, size, 1);
const code = (decision: ReturnType<typeof checkRoom>) => (decision.ok ? "ok" : decision.problem.code);

it("counts uploads under way, metadata and documents of all apps, once each, and no other account's", () => {
  const [one, two] = [open(), open({ ...OWNER, client: "other-app" })];
  open({ ...OWNER, account: "b" });
  part(one, 1, 100);
  part(one, 1, 70);
  part(two, 1, 30);
  recordMetadata(sql, two, 5, 1);
  expect(usageOf(sql, "a")).toEqual({ documents: 2, bytes: 105 });
  sql.exec("UPDATE documents SET state = 'completing', size = 70 WHERE id = ?", one);
  expect(usageOf(sql, "a").bytes).toBe(105);
  sql.exec("UPDATE documents SET state = 'complete' WHERE id = ?", one);
  sql.exec("DELETE FROM parts WHERE document = ?", one);
  expect(usageOf(sql, "a").bytes).toBe(105);
});

it("refuses what is one too many, in documents and in bytes, and a deletion gives back at once", () => {
  const quota = { documents: 3, bytes: 100 };
  const ids = [open(), open(), open()];
  expect(code(checkRoom(sql, "a", quota, { documents: 1, bytes: 0 }))).toBe("quota-exceeded");
  expect(code(checkRoom(sql, "b", quota, { documents: 1, bytes: 0 }))).toBe("ok");
  part(ids[0]!, 1, 60);
  const upload = { id: ids[1]!, account: "a" };
  expect(code(checkPart(sql, upload, 1, 41, quota))).toBe("quota-exceeded");
  expect(code(checkPart(sql, upload, 1, 40, quota))).toBe("ok");
  // Of two that were allowed together the second to come finds no room.
  part(ids[1]!, 1, 40);
  expect(code(checkPart(sql, { id: ids[2]!, account: "a" }, 1, 40, quota))).toBe("quota-exceeded");
  // The same part again takes its own place.
  expect(code(checkPart(sql, upload, 1, 40, quota))).toBe("ok");
  expect(code(checkPart(sql, upload, 1, 41, quota))).toBe("quota-exceeded");
  expect(code(checkRoom(sql, "a", { documents: 3, bytes: 99 }, { documents: 0, bytes: 0 }))).toBe(
    "quota-exceeded",
  );
  markDeleted(sql, ids[0]!, 2);
  expect(usageOf(sql, "a")).toEqual({ documents: 2, bytes: 40 });
  expect(code(checkRoom(sql, "a", quota, { documents: 1, bytes: 60 }))).toBe("ok");
});

it("does not begin with a quota that is mistyped", () => {
  expect(configuredQuota({})).toEqual({ documents: 100_000, bytes: 1_099_511_627_776 });
  expect(() => configuredQuota({ COFFER_BYTES_PER_ACCOUNT: "1TB" })).toThrow("COFFER_BYTES_PER_ACCOUNT");
  expect(() => configuredQuota({ COFFER_DOCUMENTS_PER_ACCOUNT: "" })).toThrow("COFFER_DOCUMENTS");
});

it("gives the place of an upload that is idle to another, and asks to wait where none is", () => {
  const first = open();
  for (let i = 1; i < 64; i++) insertDocument(sql, OWNER, 500_000);
  expect(insertDocument(sql, OWNER, 600_000)).toMatchObject({
    problem: { code: "too-many-requests", retryAfter: 60 },
  });
  expect(insertDocument(sql, OWNER, 600_001).ok).toBe(true);
  const [row] = [...sql.exec<{ state: string }>("SELECT state FROM documents WHERE id = ?", first)];
  expect(row?.state).toBe("deleted");
});
