import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { endOrphan, forgetChild, noteChild } from "./orphan.ts";

let folder: string;
const children: ChildProcess[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "coffer-orphan-"));
});
afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
});

/** A process that sleeps, under this name. */
async function sleeper(name: string): Promise<ChildProcess> {
  const path = join(folder, name);
  if (!existsSync(path)) symlinkSync("/bin/sleep", path);
  const child = spawn(path, ["60"], { argv0: "sleep", stdio: "ignore" });
  children.push(child);
  await once(child, "spawn");
  await expect.poll(() => readFileSync(`/proc/${child.pid}/comm`, "utf8")).toBe(`${name}\n`);
  return child;
}
const isThere = ({ exitCode, signalCode }: ChildProcess) => exitCode === null && signalCode === null;
const note = () => join(folder, "workerd.json");

describe.skipIf(process.platform !== "linux")("the workerd of a server that was killed", () => {
  it("is ended by the next start", async () => {
    const child = await sleeper("workerd");
    await noteChild(folder, child.pid!);
    await endOrphan(folder);
    await expect.poll(() => isThere(child)).toBe(false);
    expect(existsSync(note())).toBe(false);
  });

  it("is told from a process that has its number by now", async () => {
    const child = await sleeper("workerd");
    await noteChild(folder, child.pid!);
    const { pid, began } = JSON.parse(readFileSync(note(), "utf8")) as { pid: number; began: string };
    for (const other of [`${began}0`, "", "x"]) {
      writeFileSync(note(), JSON.stringify({ pid, began: other }));
      await endOrphan(folder);
      expect(isThere(child)).toBe(true);
    }
    const stranger = await sleeper("another");
    writeFileSync(note(), JSON.stringify({ pid: stranger.pid, began }));
    await endOrphan(folder);
    expect(isThere(stranger)).toBe(true);
  });

  it.each(["", "null", "[]", '{"pid":-1,"began":"x"}', '{"pid":1,"began":"x"}', '{"pid":"2"}'])(
    "is nobody where the file says %j",
    async (text) => {
      writeFileSync(note(), text);
      await endOrphan(folder);
      expect(existsSync(note())).toBe(false);
    },
  );

  it("is forgotten by a server that ended well", async () => {
    const child = await sleeper("workerd");
    await noteChild(folder, child.pid!);
    await forgetChild(folder);
    await endOrphan(folder);
    expect(isThere(child)).toBe(true);
    await noteChild(folder, null);
    expect(existsSync(note())).toBe(false);
  });
});
