/** A script of the repository as a process of its own, as `npm run` starts it. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { Outcome } from "./command.ts";

const ROOT = new URL("../../", import.meta.url);

export async function runScript(name: string, args: string[], cwd: string): Promise<Outcome> {
  const script = fileURLToPath(new URL(name, ROOT));
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", script, ...args], {
    cwd,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let [stdout, stderr] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  const [code] = await once(child, "close");
  return { code, stdout, stderr };
}
