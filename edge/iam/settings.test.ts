import { beforeEach, expect, it, vi } from "vitest";
import { sqlStorage } from "#test/support/sql-storage.ts";
import { KeptByTenant } from "../kept.ts";
import { changeApp, readSettings, SETTINGS_TABLE, type Settings, takeSettings } from "./settings.ts";

let now: number;
let reads: number;
let set: Settings;
let answer: () => Promise<Settings>;
let kept: KeptByTenant<Settings>;
const of = () =>
  kept.of("acme", () => {
    reads++;
    return answer();
  });

beforeEach(() => {
  vi.spyOn(console, "warn").mockImplementation(() => {});
  now = 1_800_000_000_000;
  reads = 0;
  set = { version: 1, denied: [] };
  answer = async () => set;
  kept = new KeptByTenant("settings", () => now);
});

it("an isolate reads once in so many seconds, each tenant apart, and knows of a change within ten", async () => {
  expect(await of()).toEqual(set);
  set = { version: 2, denied: ["page"] };
  now += 8_000;
  expect((await of()).version).toBe(1);
  expect(reads).toBe(1);
  now += 2_000;
  expect(await of()).toEqual(set);
  expect(reads).toBe(2);
  await kept.of("umbrella", async () => ({ version: 9, denied: [] }));
  expect((await of()).version).toBe(2);
});

it("one request reads, and others that come meanwhile do not wait for it", async () => {
  await of();
  now += 9_500;
  const { promise, resolve } = Promise.withResolvers<Settings>();
  answer = () => promise;
  const first = of();
  expect((await of()).version).toBe(1);
  expect(reads).toBe(2);
  resolve({ version: 2, denied: ["page"] });
  expect((await first).version).toBe(2);
  expect((await of()).version).toBe(2);
});

it("goes by the last word for a minute while the tenant's object is away, and then by none", async () => {
  await of();
  answer = async () => Promise.reject(new Error("away"));
  now += 59_000;
  expect((await of()).version).toBe(1);
  now += 500;
  expect((await of()).version).toBe(1);
  // It is not asked by each request.
  expect(reads).toBe(2);
  now += 500;
  await expect(of()).rejects.toThrow("away");
  answer = async () => set;
  expect(await of()).toEqual(set);
});

it("waits no longer than a second for an answer, and fails closed where nothing is known", async () => {
  answer = () => new Promise(() => {});
  await expect(of()).rejects.toThrow("does not answer");
});

it("a principal's object goes by the newest that any isolate brought", () => {
  const sql = sqlStorage([SETTINGS_TABLE]);
  const older = { version: 5, denied: [] };
  const newer = { version: 6, denied: ["page"] };
  expect(takeSettings(sql, older)).toEqual(older);
  expect(takeSettings(sql, newer)).toEqual(newer);
  expect(takeSettings(sql, older)).toEqual(newer);
  expect(readSettings(sql)).toEqual(newer);
});

it("each change has a version of its own, and what is so already changes nothing", () => {
  const sql = sqlStorage([SETTINGS_TABLE]);
  changeApp(sql, "page", true, 100);
  changeApp(sql, "page", true, 200);
  expect(readSettings(sql)).toEqual({ version: 100, denied: ["page"] });
  changeApp(sql, "board", true, 100);
  expect(readSettings(sql)).toEqual({ version: 101, denied: ["page", "board"] });
  changeApp(sql, "page", false, 300);
  changeApp(sql, "page", false, 400);
  expect(readSettings(sql)).toEqual({ version: 300, denied: ["board"] });
});
