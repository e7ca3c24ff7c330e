import { beforeEach, expect, it } from "vitest";
import type { Checkpoint } from "#protocol/audit/index.ts";
import { sqlStorage } from "#test/support/sql-storage.ts";
import { fail, ok } from "../result.ts";
import { MAX_CHECKPOINTS } from "./gathering.ts";
import { keep, passOn, SCHEMA } from "./waiting.ts";

let sql: SqlStorage;
beforeEach(() => {
  sql = sqlStorage([SCHEMA]);
});

const checkpoint = (sequence: number): Checkpoint => {
  return { source: "kms/a1", epoch: "e", sequence, head: "A".repeat(43) };
};
const numbers = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i);

it("passes on what was kept in its order, in calls of a bounded length, and then has nothing", async () => {
  keep(sql, numbers(1, MAX_CHECKPOINTS).map(checkpoint));
  keep(sql, [checkpoint(MAX_CHECKPOINTS + 1)]);
  const calls: number[][] = [];
  const told = await passOn(sql, async (checkpoints) => {
    calls.push(checkpoints.map(({ sequence }) => sequence));
    return ok(null);
  });
  expect(told.ok).toBe(true);
  expect(calls).toEqual([numbers(1, MAX_CHECKPOINTS), [MAX_CHECKPOINTS + 1]]);
  expect(sql.exec("SELECT * FROM waiting").toArray()).toHaveLength(0);
});

it("keeps what was not heard, to tell it again", async () => {
  keep(sql, [1, 2].map(checkpoint));
  const refused = await passOn(sql, async () => fail("internal"));
  expect(refused).toMatchObject({ ok: false, problem: { code: "internal" } });
  await expect(passOn(sql, () => Promise.reject(new Error("away")))).rejects.toThrow("away");
  const heard: number[] = [];
  await passOn(sql, async (checkpoints) => {
    heard.push(...checkpoints.map(({ sequence }) => sequence));
    return ok(null);
  });
  expect(heard).toEqual([1, 2]);
});

it("passes on what comes while it tells, and forgets none of it", async () => {
  keep(sql, [checkpoint(1)]);
  const heard: number[] = [];
  await passOn(sql, async (checkpoints) => {
    heard.push(...checkpoints.map(({ sequence }) => sequence));
    if (heard.length === 1) keep(sql, [checkpoint(2)]);
    return ok(null);
  });
  expect(heard).toEqual([1, 2]);
});
