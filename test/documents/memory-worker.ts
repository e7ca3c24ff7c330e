/** The thread of `watchMemory`: on its own, so that a busy test does not delay a sample. */

import { readdirSync, readFileSync } from "node:fs";
import { parentPort, workerData } from "node:worker_threads";

const { groups, interval } = workerData as { groups: Record<string, number>; interval: number };
type Memory = { pss: number; own: number };
const sums: Record<string, Memory[]> = Object.fromEntries(Object.keys(groups).map((group) => [group, []]));
let last = performance.now();
let gap = 0;

parentPort!.once("message", () => {
  clearInterval(timer);
  parentPort!.postMessage({ sums, gap });
});
const timer = setInterval(sample, interval);

function sample(): void {
  const now = performance.now();
  gap = Math.max(gap, now - last);
  last = now;
  const children = processTree();
  for (const [group, root] of Object.entries(groups)) sums[group]!.push(sumOf(root, children));
}

function sumOf(pid: number, children: Map<number, number[]>): Memory {
  const sum = memoryOf(pid);
  for (const child of children.get(pid) ?? []) {
    const { pss, own } = sumOf(child, children);
    sum.pss += pss;
    sum.own += own;
  }
  return sum;
}

/** Children by parent, from the fourth field of /proc/<pid>/stat (proc_pid_stat(5)). */
function processTree(): Map<number, number[]> {
  const children = new Map<number, number[]>();
  for (const entry of readdirSync("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      const stat = readFileSync(`/proc/${entry}/stat`, "utf8");
      // The second field is a name in parentheses, in which there may be anything.
      const parent = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
      children.set(parent, [...(children.get(parent) ?? []), Number(entry)]);
    } catch {
      // Gone since.
    }
  }
  return children;
}

/** Bytes; 0 for a process that is gone. */
function memoryOf(pid: number): Memory {
  try {
    const text = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
    const bytes = (field: string) =>
      1024 * Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, "m").exec(text)?.[1] ?? 0);
    return { pss: bytes("Pss"), own: bytes("Pss_Anon") + bytes("Pss_Shmem") };
  } catch {
    return { pss: 0, own: 0 };
  }
}
