/**
 * workerd outlives a parent that was killed: it would go on writing to the folder, and keep the port. Each start writes
 * down whom it started, and the next one, which has the folder's lock, ends what is still there.
 */
import { readFileSync } from "node:fs";
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { writeWhole } from "#files/index.ts";
import { CommandError } from "./command-error.ts";

const FILE = "workerd.json";
/** How long a process that was killed may take to be gone, and between two looks, milliseconds. */
const PATIENCE = 5000;
const LOOK = 20;

/** Writes down the workerd of this folder. Where the system does not show when a process began, nothing is known of it. */
export async function noteChild(dir: string, pid: number | null): Promise<void> {
  const began = pid === null ? undefined : beganAt(pid);
  if (began !== undefined)
    await writeWhole(join(dir, FILE), `${JSON.stringify({ pid, began })}\n`, { replace: true });
}

export async function forgetChild(dir: string): Promise<void> {
  await rm(join(dir, FILE), { force: true });
}

/** Ends the workerd that an earlier server of this folder left. To be called by the one that has the folder's lock. */
export async function endOrphan(dir: string): Promise<void> {
  const text = await readFile(join(dir, FILE), "utf8").catch(() => undefined);
  if (text === undefined) return;
  const { pid, began } = parse(text);
  // The number alone may be another process's by now; with the moment of its beginning it is the same one.
  const there = () => pid !== undefined && began !== undefined && beganAt(pid) === began;
  const until = Date.now() + PATIENCE;
  if (pid !== undefined && there()) process.kill(pid, "SIGKILL");
  while (there()) {
    if (!(Date.now() <= until))
      throw new CommandError(
        `Process ${pid} of a server that was killed still has ${dir}: end it, and try again.`,
      );
    await setTimeout(LOOK);
  }
  await forgetChild(dir);
}

function parse(text: string): { pid?: number; began?: string } {
  try {
    const { pid, began } = JSON.parse(text) as { pid: unknown; began: unknown };
    return Number.isSafeInteger(pid) && (pid as number) > 1 && typeof began === "string"
      ? { pid: pid as number, began }
      : {};
  } catch {
    return {};
  }
}

/** Boot and clock tick in which a workerd began (proc(5): stat's field 22), undefined where it is no workerd or has ended. */
function beganAt(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const [, command, rest] = /^\d+ \((.*)\) (.*)$/s.exec(stat) ?? [];
    const fields = rest?.split(" ") ?? [];
    if (command !== "workerd" || fields[0] === "Z") return undefined;
    return `${readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim()} ${fields[19]}`;
  } catch {
    return undefined;
  }
}
