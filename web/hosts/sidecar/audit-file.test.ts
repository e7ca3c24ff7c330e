import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { openAuditFile, verifyAuditFile } from "./audit-file.ts";
import { Paces } from "./pace.ts";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "coffer-audit-"));
});
afterEach(() => rmSync(dir, { recursive: true }));

const row = (path: string) => ({ peer: "CN=a", method: "POST", path, decision: "allow" as const });

it("goes on from its last line, and shows a line that was changed or taken out", () => {
  const path = join(dir, "audit.jsonl");
  for (const paths of [["/a", "/b"], ["/c"]]) {
    const file = openAuditFile(path);
    for (const one of paths) file.append(row(one), 0);
    file.close();
  }
  expect(verifyAuditFile(path)).toBe(3);
  const text = readFileSync(path, "utf8");
  const [first, ...others] = text.split("\n");
  for (const damaged of [
    text.replace("/b", "/x"),
    others.join("\n"),
    [first, ...others.slice(1)].join("\n"),
  ]) {
    writeFileSync(path, damaged);
    expect(() => verifyAuditFile(path)).toThrow();
    expect(() => openAuditFile(path)).toThrow();
  }
  // What a crash cut off was never acted upon.
  writeFileSync(path, `${text}{"sequence":3,`);
  const file = openAuditFile(path);
  file.append(row("/d"), 0);
  file.close();
  expect(verifyAuditFile(path)).toBe(4);
});

it("lets a name make as many requests as its bucket holds, and more as it fills", () => {
  const paces = new Paces({ perSecond: 10, atOnce: 3 });
  const waits = (now: number, name = "CN=a") => paces.wait(name, now);
  expect([waits(0), waits(0), waits(0), waits(0)]).toEqual([0, 0, 0, 1]);
  expect(waits(0, "CN=b")).toBe(0);
  expect([waits(100), waits(100)]).toEqual([0, 1]);
  expect([waits(10_000), waits(10_000), waits(10_000), waits(10_000)]).toEqual([0, 0, 0, 1]);
});
