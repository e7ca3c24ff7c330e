import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { expect, it } from "vitest";

/** A program that has started another, as PyKMIP's server does; both write their process ids to a descriptor that is left to them. */
const PROGRAM = `
  const { spawn } = require("node:child_process");
  const other = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { stdio: "ignore" });
  require("node:fs").writeFileSync(process.argv[1], process.pid + " " + other.pid);
  setInterval(() => {}, 1000);`;

/** What starts the program: a bench or a test, in a process of its own. */
const STARTER = `
  import { existsSync, mkdtempSync, readFileSync } from "node:fs";
  import { tmpdir } from "node:os";
  import { join } from "node:path";
  import { startGroup } from ${JSON.stringify(new URL("./group.ts", import.meta.url).href)};
  const file = join(mkdtempSync(join(tmpdir(), "coffer-group-")), "pids");
  const group = startGroup(process.execPath, ["-e", process.env.PROGRAM, file]);
  const wait = setInterval(() => {
    if (!existsSync(file) || !readFileSync(file, "utf8").includes(" ")) return;
    clearInterval(wait);
    console.log(readFileSync(file, "utf8"));
    if (process.env.END === "close") void group.kill();
    if (process.env.END === "error") throw new Error("an error that nobody catches");
    if (process.env.END === "exit") process.exit(0);
    if (process.env.END?.startsWith("SIG")) process.kill(process.pid, process.env.END);
  }, 10);`;

const ENDS = ["close", "error", "exit", "SIGINT", "SIGTERM", "SIGHUP", "SIGKILL"];

it.each(ENDS)("a program and what it has started end with the process that started them: %s", async (end) => {
  const starter = spawn(process.execPath, ["--input-type=module", "-e", STARTER], {
    env: { ...process.env, PROGRAM, END: end },
    stdio: ["ignore", "pipe", "ignore"],
  });
  const [line] = (await once(createInterface(starter.stdout), "line")) as [string];
  const pids = line.split(" ").map(Number);
  expect(pids).toHaveLength(2);
  try {
    await expect.poll(() => pids.filter(runs)).toEqual([]);
  } finally {
    for (const pid of pids.filter(runs)) process.kill(pid, "SIGKILL");
  }
});

function runs(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
