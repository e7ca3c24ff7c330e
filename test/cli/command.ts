/** The command `coffer` as a process of its own, as people start it. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { freePorts as listFreePorts } from "../support/ports.ts";

const COFFER = fileURLToPath(new URL("../../cli/coffer.js", import.meta.url));

export type Outcome = { code: number | null; stdout: string; stderr: string };

export type Command = {
  process: ChildProcess;
  /** What standard output has in it so far. */
  said(): string;
  /** Resolves when standard output has this in it; rejects when the command ends before. */
  says(text: string): Promise<void>;
  ended: Promise<Outcome>;
};

/** Starts `coffer` (or another program) with these arguments, and with that on standard input. */
export function start(args: string[], cwd: string, input = "", program = COFFER): Command {
  const child = spawn(process.execPath, [program, ...args], { cwd, stdio: ["pipe", "pipe", "pipe"] });
  // A command that does not read it may have ended.
  child.stdin.on("error", () => {}).end(input);
  let [stdout, stderr] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  const ended = once(child, "close").then(([code]) => ({ code, stdout, stderr }));
  return {
    process: child,
    said: () => stdout,
    ended,
    says: (text) =>
      new Promise((resolve, reject) => {
        const look = () => {
          if (stdout.includes(text)) resolve();
        };
        child.stdout.on("data", look);
        look();
        ended.then(() => reject(new Error(`ended before it said '${text}': ${stdout}${stderr}`)), reject);
      }),
  };
}

/** Runs it to its end. */
export function run(args: string[], cwd: string, input?: string, program?: string): Promise<Outcome> {
  return start(args, cwd, input, program).ended;
}

const HSM_PORTS = ["--ttlv-port", "--https-port"];
// The vault's too: the next free one after the page's may be one that is given to another.
const ALL_PORTS = ["--port", "--vault-port", ...HSM_PORTS, "--identity-port", "--faults-port"];

/** Options of `coffer start`, or of `coffer hsm`, with ports that are free. */
export async function freePorts(of: "start" | "hsm" = "start"): Promise<string[]> {
  const options = of === "hsm" ? HSM_PORTS : ALL_PORTS;
  const ports = await listFreePorts(options.length);
  return options.flatMap((option, index) => [option, String(ports[index])]);
}

/** Where a deployment's edge keeps its state. */
export function edgeDir(dir: string): string {
  return join(dir, "edge");
}
