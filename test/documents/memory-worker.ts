/** The thread of `watchMemory`: on its own, so that a busy test does not delay a sample. */

import { readdirSync, readFileSync } from "node:fs";
import { parentPort, workerData } from "node:worker_threads";

const { groups, interval } = workerData as { groups: Record<string, number>; interval: number };
const sums: Record<string, number[]> = Object.fromEntries(Object.keys(groups).map((group) => [group, []]));
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

function sumOf(pid: number, children: Map<number, number[]>): number {
  let sum = pssOf(pid);
  for (const child of children.get(pid) ?? []) sum += sumOf(child, children);
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
function pssOf(pid: number): number {
  try {
    const kib = /^Pss:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"))?.[1];
    return Number(kib ?? 0) * 1024;
  } catch {
    return 0;
  }
}
