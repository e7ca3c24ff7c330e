import { beforeEach, describe, expect, it } from "vitest";
import { sqlStorage } from "#test/support/sql-storage.ts";
import type { Decision } from "../result.ts";
import {
  beginWrite,
  endWrite,
  finishCompletion,
  forget,
  insertDocument,
  markDeleted,
  recordMetadata,
  recordPart,
} from "./documents.ts";
import { checkRoom, configuredQuota, giveRoomBack, takeRoom, takeRoomForMetadata, usageOf } from "./quota.ts";
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
const code = (decision: Decision<unknown>) => (decision.ok ? "ok" : decision.problem.code);

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

it("counts the same as a look at all rows would, whatever happens to them", () => {
  const ids: string[] = [];
  let state = 7;
  // A linear congruential generator: the same run each time.
  const pick = (n: number) => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    return Math.floor((state / 2 ** 31) * n);
  };
  const actions: ((id: string) => void)[] = [
    (id) => part(id, 1 + pick(3), 1 + pick(50)),
    (id) =>
      void takeRoom(sql, { id, account: "a" }, 1 + pick(3), 1 + pick(50), { documents: 99, bytes: 999 }),
    (id) => giveRoomBack(sql, id, { part: 1 + pick(3), before: pick(20), write: 1 + pick(2) }),
    (id) => void takeRoomForMetadata(sql, { id, account: "a" }, 1 + pick(50), { documents: 99, bytes: 999 }),
    (id) => void recordMetadata(sql, id, pick(50), 1),
    (id) =>
      sql.exec(
        "UPDATE documents SET state = 'completing', size = ? WHERE id = ? AND state = 'pending'",
        pick(90),
        id,
      ),
    (id) => void finishCompletion(sql, id, "e"),
    (id) => markDeleted(sql, id, 1),
    (id) => {
      forget(sql, id, { overdue: pick(2) === 0 });
      if (sql.exec("SELECT 1 FROM documents WHERE id = ?", id).toArray().length === 0)
        ids.splice(ids.indexOf(id), 1);
    },
    () => void ids.push(open({ ...OWNER, account: "ab"[pick(2)] as string })),
  ];
  for (let i = 0; i < 3000; i++) {
    if (ids.length === 0) ids.push(open());
    actions[pick(actions.length)]!(ids[ids.length - 1 - pick(Math.min(ids.length, 5))] as string);
    for (const account of ["a", "b"]) {
      const [counted] = sql
        .exec<{ documents: number; bytes: number }>(
          "SELECT ifnull(sum(counts), 0) AS documents, ifnull(sum(takes), 0) AS bytes FROM counted WHERE account = ?",
          account,
        )
        .toArray();
      expect(usageOf(sql, account)).toEqual(counted);
    }
  }
  expect(ids.length).toBeGreaterThan(50);
});

it("is right from the start for what was stored before it was kept", () => {
  sql = sqlStorage(MIGRATIONS.slice(0, -1));
  const [one, two] = [open(), open()];
  part(one, 1, 100);
  recordMetadata(sql, two, 5, 1);
  sql.exec("UPDATE documents SET state = 'complete', size = 30 WHERE id = ?", two);
  sql.exec(MIGRATIONS.at(-1) as string);
  expect(usageOf(sql, "a")).toEqual({ documents: 2, bytes: 135 });
});

it("refuses what is one too many, in documents and in bytes, and a deletion gives back at once", () => {
  const quota = { documents: 3, bytes: 100 };
  const ids = [open(), open(), open()];
  expect(code(checkRoom(sql, "a", quota, { documents: 1, bytes: 0 }))).toBe("quota-exceeded");
  expect(code(checkRoom(sql, "b", quota, { documents: 1, bytes: 0 }))).toBe("ok");
  part(ids[0]!, 1, 60);
  const upload = { id: ids[1]!, account: "a" };
  expect(code(takeRoom(sql, upload, 1, 41, quota))).toBe("quota-exceeded");
  expect(code(takeRoom(sql, upload, 1, 40, quota))).toBe("ok");
  // Of two that were allowed together the second to come finds no room.
  part(ids[1]!, 1, 40);
  expect(code(takeRoom(sql, { id: ids[2]!, account: "a" }, 1, 40, quota))).toBe("quota-exceeded");
  // The same part again takes its own place.
  expect(code(takeRoom(sql, upload, 1, 40, quota))).toBe("ok");
  expect(code(takeRoom(sql, upload, 1, 41, quota))).toBe("quota-exceeded");
  expect(code(checkRoom(sql, "a", { documents: 3, bytes: 99 }, { documents: 0, bytes: 0 }))).toBe(
    "quota-exceeded",
  );
  markDeleted(sql, ids[0]!, 2);
  expect(usageOf(sql, "a")).toEqual({ documents: 2, bytes: 40 });
  expect(code(checkRoom(sql, "a", quota, { documents: 1, bytes: 60 }))).toBe("ok");
});

describe("room for a part", () => {
  const quota = { documents: 9, bytes: 100 };
  const take = (id: string, n: number, size: number) => {
    const room = takeRoom(sql, { id, account: "a" }, n, size, quota);
    if (!room.ok) throw new Error(room.problem.code);
    return room.value;
  };
  const used = () => usageOf(sql, "a").bytes;

  it("is taken before anything is stored, so that parts side by side never share a rest", () => {
    const [one, two] = [open(), open()];
    take(one, 1, 60);
    expect(() => take(two, 1, 41)).toThrow("quota-exceeded");
    expect(() => take(one, 2, 41)).toThrow("quota-exceeded");
    take(two, 1, 40);
    part(one, 1, 60);
    part(two, 1, 40);
    expect(used()).toBe(100);
  });

  it("is given back when nothing was stored, and what there was before counts again", () => {
    const id = open();
    giveRoomBack(sql, id, take(id, 1, 90));
    expect(used()).toBe(0);
    // As if it had never been: the same upload can be asked for again.
    expect(insertDocument(sql, OWNER, 1, id).ok).toBe(true);
    take(id, 1, 30);
    part(id, 1, 30);
    giveRoomBack(sql, id, take(id, 1, 80));
    expect(used()).toBe(30);
    take(id, 1, 80);
    part(id, 1, 80);
    take(id, 1, 20);
    expect(used()).toBe(80);
    part(id, 1, 20);
    expect(used()).toBe(20);
  });

  it("stays taken where nobody knows what was stored, and the same part again needs no more", () => {
    const id = open();
    take(id, 1, 90);
    giveRoomBack(sql, id, take(id, 1, 10));
    expect(used()).toBe(90);
    expect(() => take(id, 2, 11)).toThrow("quota-exceeded");
    take(id, 1, 90);
    part(id, 1, 90);
    expect(used()).toBe(90);
    markDeleted(sql, id, 2);
    expect(used()).toBe(0);
  });

  it("is the larger one of two writes of one part, in whatever order they end", () => {
    for (const [first, second] of [
      [70, 10],
      [10, 70],
    ] as const) {
      const id = open();
      take(id, 1, first);
      take(id, 1, second);
      for (const size of [70, 10]) part(id, 1, size);
      expect(used()).toBe(70);
      markDeleted(sql, id, 2);
    }
  });

  it("is taken for metadata too, and what was stored last counts", () => {
    const [one, two] = [open(), open()];
    const begin = (id: string, size: number) => {
      const room = takeRoomForMetadata(sql, { id, account: "a" }, size, quota);
      if (room.ok) beginWrite(sql, id);
      return code(room);
    };
    expect(begin(one, 60)).toBe("ok");
    expect(begin(two, 41)).toBe("quota-exceeded");
    recordMetadata(sql, one, 60, 1);
    expect(begin(one, 20)).toBe("ok");
    expect(used()).toBe(60);
    recordMetadata(sql, one, 20, 1);
    expect(used()).toBe(20);
    // Two at once, the second of which fails: the larger may be there.
    for (const size of [50, 30]) expect(begin(two, size)).toBe("ok");
    recordMetadata(sql, two, 30, 1);
    endWrite(sql, two);
    expect(used()).toBe(70);
  });
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
