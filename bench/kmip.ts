import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { ensurePki, issueClient, type Pki } from "#emulator/hsm/index.ts";
import { startPyKmipServer } from "#test/interop/index.ts";
import { startHsmProcess } from "#test/kmip/hsm-process.ts";
import { findPython } from "#test/support/missing.ts";
import { codec } from "./kmip/codec.ts";
import { echoServer, kmipServer, LOADS, type Server, throughput } from "./kmip/work.ts";
import { median, progress, type Report } from "./row.ts";

/** How many measurements of each server are taken in turns; the median counts. */
const TURNS = 3;
const WORKS = [
  ["create-get", "pairs/s"],
  ["get", "operations/s"],
  ["encrypt-1KiB", "operations/s"],
  ["discover-versions", "operations/s"],
] as const;
const ECHO = fileURLToPath(new URL("./kmip/durable-echo.ts", import.meta.url));

/**
 * KMIP codec and server, beside PyKMIP's, with our client for both. Writes are durable in both servers; what the machine
 * allows any such server is shown too.
 */
export async function run(report: Report): Promise<void> {
  const python = findPython("import kmip");
  if (!python) progress("PyKMIP is not installed (Debian: python3-pykmip): nothing to compare with");
  await codec(report, python);
  await servers(report, python !== undefined);
}

async function servers(report: Report, compared: boolean): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), "coffer-bench-"));
  const closing: (() => unknown)[] = [() => rmSync(dir, { recursive: true, force: true })];
  try {
    const pki = await ensurePki(join(dir, "pki"));
    const pair = await issueClient(pki.dir, "bench");
    const at = (port: number) => ({ host: "127.0.0.1", port, ca: pki.serverCa, ...pair });
    const hsm = await startHsmProcess(join(dir, "hsm"), pki.dir);
    closing.unshift(() => hsm.stop());
    const ours = await kmipServer(at(hsm.port));
    const echo = await startEcho(pki, dir);
    closing.unshift(echo.close);
    const others: Record<string, Server> = { "durable-echo": echoServer(at(echo.port)) };
    if (compared) {
      const pykmip = await startPyKmipServer(join(dir, "pykmip"));
      closing.unshift(() => pykmip.close());
      others.pykmip = await kmipServer(pykmip.connection);
    }
    for (const [name, unit] of WORKS) await compare(report, { name, unit, ours, others });
  } finally {
    // One that fails keeps none of the others from closing.
    for (const close of closing) await Promise.allSettled([(async () => close())()]);
  }
}

interface Comparison {
  name: string;
  unit: string;
  ours: Server;
  others: Readonly<Record<string, Server>>;
}

/** One row for each load and each of the others that can do the work. */
async function compare(report: Report, { name, unit, ours, others }: Comparison): Promise<void> {
  const able = Object.entries(others).filter(([, { works }]) => name in works);
  for (const load of LOADS) {
    progress(`${name}, ${load.id}`);
    const mine: number[] = [];
    const theirs = able.map((): number[] => []);
    for (let turn = 0; turn < TURNS; turn++) {
      mine.push(await throughput(ours, name, load));
      for (const [i, [, server]] of able.entries()) theirs[i]!.push(await throughput(server, name, load));
    }
    const value = median(mine);
    const id = `kmip/${name}/${load.id}`;
    if (!able.some(([other]) => other === "pykmip")) report({ id, value, unit, versus: null, ratio: null });
    for (const [i, [other]] of able.entries()) {
      const ratio = value / median(theirs[i]!);
      report({ id: other === "pykmip" ? id : `${id}/${other}`, value, unit, versus: other, ratio });
    }
  }
}

/** The limit (`durable-echo.ts`), in a process of its own as the servers are. */
async function startEcho(pki: Pki, dir: string): Promise<{ port: number; close: () => Promise<void> }> {
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", ECHO, pki.dir, dir], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const port = await new Promise<number>((resolve, reject) => {
    createInterface(child.stdout).once("line", (line) => resolve(Number(line)));
    child.once("error", reject);
    child.once("exit", (code) => reject(new Error(`The echo's process ended with ${code}`)));
  });
  const close = async () => {
    child.kill();
    await ended;
  };
  return { port, close };
}
