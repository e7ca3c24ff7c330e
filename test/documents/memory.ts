/** Memory of groups of processes while a test goes on: the sum of their PSS, which counts shared pages once (Linux). */

import { Worker } from "node:worker_threads";

const MIB = 1 << 20;

export type MemoryReport = {
  /** Highest sum, MiB. */
  peak: number;
  /** Middle of all sums, MiB: what a group holds at rest. */
  median: number;
  samples: number;
  /** Longest time between two samples, milliseconds: a report with a long gap proves less. */
  gap: number;
};

/**
 * Begins to sample every `interval` milliseconds. Each group is a process with all its descendants, found anew for each
 * sample. `stop` gives the report of each group.
 */
export function watchMemory<G extends string>(
  groups: Record<G, number>,
  interval = 100,
): { stop(): Promise<Record<G, MemoryReport>> } {
  const worker = new Worker(new URL("./memory-worker.ts", import.meta.url), {
    workerData: { groups, interval },
  });
  const failed = new Promise<never>((_, reject) => worker.once("error", reject));
  failed.catch(() => {}); // reported by stop()
  return {
    async stop() {
      const answer = new Promise<{ sums: Record<G, number[]>; gap: number }>((resolve) =>
        worker.once("message", resolve),
      );
      worker.postMessage("stop");
      const { sums, gap } = await Promise.race([answer, failed]);
      await worker.terminate();
      const report = (bytes: number[]): MemoryReport => {
        const sorted = bytes.toSorted((a, b) => a - b);
        return {
          peak: Math.round((sorted.at(-1) ?? 0) / MIB),
          median: Math.round((sorted[sorted.length >> 1] ?? 0) / MIB),
          samples: sorted.length,
          gap: Math.round(gap),
        };
      };
      return Object.fromEntries(
        Object.entries<number[]>(sums).map(([group, bytes]) => [group, report(bytes)]),
      ) as Record<G, MemoryReport>;
    },
  };
}
