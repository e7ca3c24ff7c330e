import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { lockFolder, whileLocked } from "./folder-lock.ts";

let folder: string;
const children: ChildProcess[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "coffer-lock-"));
});
afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
});

/** Another process that has the folder. */
async function holder(): Promise<ChildProcess> {
  const script = `
    import { lockFolder } from ${JSON.stringify(new URL("./folder-lock.ts", import.meta.url).href)};
    lockFolder(${JSON.stringify(folder)});
    console.log("held");
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, [
    "--disable-warning=ExperimentalWarning",
    "--input-type=module",
    "-e",
    script,
  ]);
  children.push(child);
  await once(child.stdout!, "data");
  return child;
}

it("is one process's alone: the next is refused with the number of the one that has it", async () => {
  const { pid } = await holder();
  const refused = expect.objectContaining({
    code: "folder-in-use",
    message: expect.stringContaining(`process ${pid}:`),
  });
  expect(() => lockFolder(folder)).toThrow(refused);
  const link = `${folder}-link`;
  symlinkSync(folder, link);
  expect(() => lockFolder(link)).toThrow(refused);
  rmSync(link);
});

it("is free at once when its holder was killed, whatever it left behind", async () => {
  const child = await holder();
  child.kill("SIGKILL");
  await once(child, "exit");
  expect(readFileSync(join(folder, "coffer.pid"), "utf8")).toBe(`${child.pid}\n`);
  const lock = lockFolder(folder);
  expect(readFileSync(join(folder, "coffer.pid"), "utf8")).toBe(`${process.pid}\n`);
  lock.release();
  expect(existsSync(join(folder, "coffer.pid"))).toBe(false);
});

it("believes the lock and not the number: a number of a process that lives bars nobody, and its absence lets nobody in", async () => {
  writeFileSync(join(folder, "coffer.pid"), `${process.ppid}\n`);
  lockFolder(folder).release();
  await holder();
  rmSync(join(folder, "coffer.pid"));
  expect(() => lockFolder(folder)).toThrow(expect.objectContaining({ code: "folder-in-use" }));
});

it("holds within one process too, until it is released", () => {
  const lock = lockFolder(folder);
  expect(() => lockFolder(folder)).toThrow(expect.objectContaining({ code: "folder-in-use" }));
  lockFolder(folder, "another").release();
  lock.release();
  lock.release();
  lockFolder(folder).release();
});

it("makes those who wait come one after the other", async () => {
  const seen: string[] = [];
  const work = (name: string) =>
    whileLocked(folder, "work", async () => {
      seen.push(`${name} begins`);
      await new Promise((done) => setTimeout(done, 20));
      seen.push(`${name} ends`);
    });
  await Promise.all([work("a"), work("b"), work("c")]);
  for (let i = 0; i < seen.length; i += 2) expect(seen[i + 1]).toBe(seen[i]!.replace("begins", "ends"));
});
