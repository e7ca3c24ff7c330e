/**
 * The HSM emulator in a process of its own, which can be killed: `node hsm-process.ts DIR PKI` prints its TTLV port and
 * runs until SIGTERM, or until its standard input closes.
 */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

export interface HsmProcess {
  port: number;
  pid: number;
  /** Ends it without warning. */
  kill(): Promise<void>;
  /** Asks it to end; resolves when it has. */
  stop(): Promise<void>;
}

/** Starts it; `wrapper` is a command that runs it (strace, say), and `nodeOptions` go to node. */
export async function startHsmProcess(
  dir: string,
  pki: string,
  { wrapper = [] as string[], nodeOptions = [] as string[] } = {},
): Promise<HsmProcess> {
  const node = [process.execPath, "--disable-warning=ExperimentalWarning", ...nodeOptions];
  const [command, ...args] = [...wrapper, ...node, fileURLToPath(import.meta.url), dir, pki];
  // It runs until its standard input closes, so that it ends with this process.
  const child = spawn(command!, args, { stdio: ["pipe", "pipe", "inherit"] });
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const line = await new Promise<string>((resolve, reject) => {
    createInterface(child.stdout!).once("line", resolve);
    child.once("error", reject);
    child.once("exit", (code) => reject(new Error(`The HSM's process ended with ${code}`)));
  });
  // The process itself: a wrapper need not pass a signal on.
  const { port, pid } = JSON.parse(line) as { port: number; pid: number };
  const signal = async (name: NodeJS.Signals) => {
    if (child.exitCode === null && child.signalCode === null) process.kill(pid, name);
    await ended;
  };
  return { port, pid, kill: () => signal("SIGKILL"), stop: () => signal("SIGTERM") };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { ensurePki, startHsm } = await import("#emulator/hsm/index.ts");
  const [dir, pkiDir] = process.argv.slice(2);
  const hsm = await startHsm({ dir: dir!, pki: await ensurePki(pkiDir!), ttlvPort: 0, httpsPort: 0 });
  process.once("SIGTERM", () => void hsm.close().then(() => process.exit(0)));
  process.stdin.once("close", () => process.exit(0)).resume();
  process.stdout.write(`${JSON.stringify({ port: hsm.ttlvPort, pid: process.pid })}\n`);
}
