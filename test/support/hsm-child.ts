/**
 * Runs the HSM of a system as a process of its own, so that a test can end it while the edge goes on:
 *
 *     vi.mock("#emulator/hsm/index.ts", async (original) => withHsmProcess(await original()));
 */

import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { Hsm, HsmOptions } from "#emulator/hsm/index.ts";

const MAIN = fileURLToPath(new URL("hsm-process.ts", import.meta.url));

type Ports = Pick<Hsm, "ttlvPort" | "httpsPort">;
/** The last that was started, and how to start it again. */
let running: { child: ChildProcess; options: HsmOptions; ports: Ports } | undefined;

export function withHsmProcess<M extends { startHsm(options: HsmOptions): Promise<Hsm> }>(module: M): M {
  return { ...module, startHsm: spawnHsm };
}

async function spawnHsm(options: HsmOptions): Promise<Hsm> {
  const child = fork(MAIN, [JSON.stringify(options)], { stdio: ["ignore", "ignore", "inherit", "ipc"] });
  const [ports] = (await Promise.race([
    once(child, "message"),
    once(child, "exit").then(() => Promise.reject(new Error("The HSM's process has ended"))),
  ])) as [Ports];
  running = { child, options, ports };
  return { ...ports, close: killHsm } as Hsm;
}

/** Ends the process, as `kill -9` does: no answer is given any more. */
export async function killHsm(): Promise<void> {
  if (running === undefined || running.child.exitCode !== null || running.child.signalCode !== null) return;
  const { child } = running;
  const ended = once(child, "exit");
  child.kill("SIGKILL");
  await ended;
}

/** Starts it on the same store, at the same ports. */
export async function startHsmAgain(): Promise<void> {
  if (running === undefined) throw new Error("No HSM was started");
  const { options, ports } = running;
  await spawnHsm({ ...options, ...ports });
}
