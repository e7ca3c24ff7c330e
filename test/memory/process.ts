/** Scans the memory of a running process through /proc (Linux, same user, a descendant or as root). */

import { closeSync, openSync, readFileSync, readSync } from "node:fs";
import type { Needle } from "./needle.ts";
import { createSearch, type Finding } from "./search.ts";

const CHUNK = 8 * 1024 * 1024;

/** Whether this machine lets us read the memory of `pid`. Where it does not, a test must say skipped, not passed. */
export function canReadMemory(pid: number): boolean {
  try {
    closeSync(openSync(`/proc/${pid}/mem`, "r"));
    return true;
  } catch {
    return false;
  }
}

/**
 * Searches every resident page of every readable mapping, private and shared, heap, stacks and files alike.
 * (A page that is neither present nor swapped out holds nothing of the process: /proc/<pid>/pagemap says which.)
 * `scanned` is the number of bytes read: a caller asserts that it is not small.
 */
export function scanProcess(pid: number, needles: Needle[]): { findings: Finding[]; scanned: number } {
  const search = createSearch(needles);
  const overlap = Math.max(search.longest - 1, 0);
  const buffer = Buffer.allocUnsafe(CHUNK);
  const findings: Finding[] = [];
  let scanned = 0;
  const memory = openSync(`/proc/${pid}/mem`, "r");
  const pagemap = openSync(`/proc/${pid}/pagemap`, "r");
  try {
    for (const { start, end, name } of readableMappings(pid)) {
      for (const run of residentRuns(pagemap, start, end)) {
        for (let at = run.start; at < run.end; ) {
          const length = Math.min(CHUNK, run.end - at);
          const read = readAt(memory, buffer, length, at);
          if (read <= 0) break; // unmapped since, or device memory that the kernel does not show
          scanned += read;
          const base = at;
          findings.push(
            ...search.find(buffer.subarray(0, read), (offset) => `0x${(base + offset).toString(16)} ${name}`),
          );
          if (at + read >= run.end) break;
          at += Math.max(read - overlap, 1);
        }
      }
    }
  } finally {
    closeSync(memory);
    closeSync(pagemap);
    buffer.fill(0);
  }
  return { findings, scanned };
}

/** AT_PAGESZ, entry 6 of the auxiliary vector (getauxval(3)): pairs of 64-bit words. */
function pageSize(): number {
  const vector = readFileSync("/proc/self/auxv");
  for (let at = 0; at + 16 <= vector.length; at += 16) {
    if (vector.readUInt32LE(at) === 6) return vector.readUInt32LE(at + 8);
  }
  throw new Error("the system does not tell its page size");
}

/** Runs of neighbouring pages that are present or swapped out: bits 63 and 62 of their 64-bit entries. */
function residentRuns(pagemap: number, start: number, end: number): { start: number; end: number }[] {
  const page = pageSize();
  const runs: { start: number; end: number }[] = [];
  const entries = Buffer.allocUnsafe(64 * 1024);
  for (let at = start; at < end; ) {
    const pages = Math.min((end - at) / page, entries.length / 8);
    const read = readAt(pagemap, entries, pages * 8, (at / page) * 8);
    if (read <= 0) break;
    for (let i = 0; i < read / 8; i++, at += page) {
      if (entries[i * 8 + 7]! < 0x40) continue;
      const last = runs.at(-1);
      if (last?.end === at) last.end += page;
      else runs.push({ start: at, end: at + page });
    }
  }
  return runs;
}

function readAt(file: number, buffer: Buffer, length: number, position: number): number {
  try {
    return readSync(file, buffer, 0, length, position);
  } catch {
    return 0;
  }
}

/** Lines of /proc/<pid>/maps: `start-end perms offset device inode path` (proc_pid_maps(5)). */
function readableMappings(pid: number): { start: number; end: number; name: string }[] {
  return readFileSync(`/proc/${pid}/maps`, "utf8")
    .split("\n")
    .flatMap((line) => {
      const parts = /^([0-9a-f]+)-([0-9a-f]+) (\S{4}) \S+ \S+ \S+\s*(.*)$/.exec(line);
      if (!parts?.[3]?.startsWith("r") || parts[4] === "[vvar]" || parts[4] === "[vsyscall]") return [];
      return [
        { start: Number(`0x${parts[1]}`), end: Number(`0x${parts[2]}`), name: parts[4] || "[anonymous]" },
      ];
    });
}
