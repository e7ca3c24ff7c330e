/** Processor time of a deployment (`/proc/PID/stat`): unlike a time by the clock it says the same whatever else the machine does. */
import { readdirSync, readFileSync } from "node:fs";

/** Milliseconds since they were started: of the process itself, in which the HSM is, and of workerd, which it has started. */
export type Processor = { hsm: number; edge: number };

/** Milliseconds of a tick: USER_HZ is 100 on every Linux that Node runs on. */
const TICK = 10;

/** Null where there is no /proc. */
export function processorOf(pid: number): Processor | null {
  const own = statOf(pid);
  if (own === null) return null;
  const others = readdirSync("/proc").flatMap((name) =>
    /^\d+$/.test(name) ? (statOf(Number(name)) ?? []) : [],
  );
  const edge = others.filter(({ command, parent }) => parent === pid && command === "workerd");
  return { hsm: own.spent, edge: edge.reduce((all, { spent }) => all + spent, 0) };
}

/** proc_pid_stat(5): the command in brackets, then state, ppid, and at 14 and 15 what was spent as user and in the kernel. */
function statOf(pid: number): { command: string; parent: number; spent: number } | null {
  try {
    const [, command = "", rest = ""] =
      /^\d+ \((.*)\) (.*)$/s.exec(readFileSync(`/proc/${pid}/stat`, "utf8")) ?? [];
    const fields = rest.split(" ").map(Number);
    return { command, parent: fields[1] ?? 0, spent: ((fields[11] ?? 0) + (fields[12] ?? 0)) * TICK };
  } catch {
    return null;
  }
}
