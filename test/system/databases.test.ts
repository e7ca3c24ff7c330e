/** What tests read of the edge's databases is what the edge has written, whatever it does with them meanwhile. */

import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { Worker } from "node:worker_threads";
import { afterAll, expect, it } from "vitest";
import { readRows } from "./index.ts";

const folder = mkdtempSync(join(tmpdir(), "coffer-databases-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Opens it, writes a row and closes it, which removes the log, again and again. */
const WRITER = `
  const { DatabaseSync } = require("node:sqlite");
  const { workerData: { path, written } } = require("node:worker_threads");
  while (Atomics.load(written, 1) === 0) {
    const database = new DatabaseSync(path, { timeout: 5000 });
    database.exec("PRAGMA journal_mode = WAL; INSERT INTO thing VALUES (randomblob(5000))");
    Atomics.add(written, 0, 1);
    database.close();
  }
`;

it("reads each row that was there before it looked, while databases are opened and closed", async () => {
  mkdirSync(join(folder, "do"));
  const path = join(folder, "do", "object.sqlite");
  const database = new DatabaseSync(path);
  database.exec("PRAGMA journal_mode = WAL; CREATE TABLE thing (bytes BLOB)");
  database.close();
  const written = new Int32Array(new SharedArrayBuffer(8));
  const writer = new Worker(WRITER, { eval: true, workerData: { path, written } });
  try {
    for (let looks = 0; looks < 200; looks++) {
      const least = Atomics.load(written, 0);
      expect(readRows(folder, "thing").length).toBeGreaterThanOrEqual(least);
    }
    await expect.poll(() => Atomics.load(written, 0)).toBeGreaterThan(0);
  } finally {
    Atomics.store(written, 1, 1);
    await writer.terminate();
  }
});

it("says of a database that has stood still what it said before, and of one that was written since what is there now", async () => {
  const within = join(folder, "still");
  mkdirSync(within);
  const path = join(within, "object.sqlite");
  const database = new DatabaseSync(path);
  database.exec("PRAGMA journal_mode = WAL; CREATE TABLE thing (name TEXT); INSERT INTO thing VALUES ('a')");
  const names = () => readRows(within, "thing").map(({ name }) => name);
  for (let rows = 1; rows <= 20; rows++) {
    // So long that it counts as standing still, and sometimes not.
    await new Promise((resolve) => setTimeout(resolve, rows * 4));
    expect([names().length, names().length]).toEqual([rows, rows]);
    readRows(within, "thing")[0]!.name = "changed by who has read it";
    database.prepare("INSERT INTO thing VALUES ('b')").run();
    expect(names()).toEqual(["a", ...Array(rows).fill("b")]);
  }
  database.close();
  expect(names()).toHaveLength(21);
  // Another one of the same name.
  rmSync(path);
  const other = new DatabaseSync(path);
  other.exec("CREATE TABLE another (name TEXT)");
  other.close();
  expect(names()).toEqual([]);
});
