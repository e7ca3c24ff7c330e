/** Processes under user ids of their own, which have nothing on this machine but what a test gives them. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** User ids that no account of a machine has. */
export const UIDS = { custodian: 65_101, sidecar: 65_102, microservice: 65_103 } as const;
export type Who = keyof typeof UIDS;

/** Whether this process may start others under them. */
export const mayChange = process.getuid?.() === 0;

export function start(who: Who, args: string[]): ChildProcess {
  const uid = UIDS[who];
  return spawn(process.execPath, args, {
    ...{ cwd: ROOT, uid, gid: uid, stdio: ["ignore", "pipe", "pipe"] },
    env: { PATH: process.env.PATH, HOME: "/nonexistent" },
  });
}

/** The first line of what it prints; throws with what it says of itself if it ends before. */
export async function firstLine(child: ChildProcess): Promise<string> {
  let [out, err] = ["", ""];
  child.stderr?.on("data", (chunk: Buffer) => (err += chunk));
  return new Promise((resolve, reject) => {
    child.stdout?.on("data", (chunk: Buffer) => {
      out += chunk;
      if (out.includes("\n")) resolve(out.split("\n", 1)[0] ?? "");
    });
    child.once("exit", (code) => reject(new Error(`ended with ${code}: ${err}`)));
  });
}

/** Runs it to its end. */
export async function finished(
  who: Who,
  args: string[],
): Promise<{ code: number; out: string; err: string }> {
  const child = start(who, args);
  let [out, err] = ["", ""];
  child.stdout?.on("data", (chunk: Buffer) => (out += chunk));
  child.stderr?.on("data", (chunk: Buffer) => (err += chunk));
  const [code] = (await once(child, "close")) as [number];
  return { code, out, err };
}

export async function stop(child: ChildProcess | undefined): Promise<void> {
  if (!child || child.exitCode !== null) return;
  child.kill("SIGTERM");
  await once(child, "close");
}
