import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, globSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, it } from "vitest";
import { skipped } from "../support/missing.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const program = fileURLToPath(new URL("./run.ts", import.meta.url));
let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "coffer-runner-"));
});
afterEach(() => rmSync(dir, { recursive: true }));

const isClone = existsSync(join(root, ".git"));
it.skipIf(!isClone && skipped("the tree is no clone: a break needs a worktree"))(
  "Ctrl-C leaves no worktree, no file and no guard",
  async () => {
    const runner = spawn(process.execPath, [program, "--only", "time-that-does-not-exist"], {
      env: { ...process.env, TMPDIR: dir },
      stdio: ["ignore", "pipe", "inherit"],
    });
    const output = text(runner.stdout);
    await expect.poll(() => globSync(join(dir, "*/1/log"))).toHaveLength(1);
    runner.kill("SIGINT");
    expect((await once(runner, "exit"))[0]).toBe(130);
    expect(await output).toMatch(/0 red, .* 1 not tried/);
    expect(readdirSync(dir)).toEqual([]);
    expect(spawnSync("git", ["worktree", "list"], { cwd: root, encoding: "utf8" }).stdout).not.toContain(dir);
    await expect.poll(() => guardsBelow(dir)).toEqual([]);
  },
);

/** Processes that name the folder in their command line. */
function guardsBelow(path: string): string[] {
  return globSync("/proc/[0-9]*/cmdline").filter((file) => commandLine(file).includes(path));
}

function commandLine(file: string): string {
  try {
    return readFileSync(file, "latin1");
  } catch {
    return ""; // It has ended meanwhile.
  }
}
