import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { WriteAheadLog } from "./write-ahead-log.ts";

describe("the write-ahead log", () => {
  let dir: string;
  let path: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), "coffer-log-"));
    path = join(dir, "log");
    writeFileSync(path, "");
  });
  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  it("writes once what changed at one time, and nothing when nothing changed", async () => {
    let written = 0;
    const log = new WriteAheadLog(path, () => {
      written++;
      return true;
    });
    await log.synced();
    expect(written).toBe(0);
    const waiting = [1, 2, 3].map(() => {
      log.changed();
      return log.synced();
    });
    await Promise.all(waiting);
    expect(written).toBe(1);
    log.close();
  });

  it("says of nothing that it is durable once a write failed", async () => {
    const log = new WriteAheadLog(path, () => {
      throw new Error("disk full");
    });
    log.changed();
    const first = log.synced();
    log.changed();
    const second = log.synced();
    await expect(first).rejects.toThrow("disk full");
    await expect(second).rejects.toThrow();
    expect(() => log.check()).toThrow("can no longer be written");
    await expect(log.synced()).rejects.toThrow("can no longer be written");
    log.close();
  });

  it("says of nothing that it is durable once changes were lost", async () => {
    const log = new WriteAheadLog(path, () => true);
    log.changed();
    const waiting = log.synced();
    log.fail(new Error("rolled back"));
    await expect(waiting).rejects.toThrow("can no longer be written");
    log.close();
  });
});
