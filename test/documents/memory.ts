/** Memory of groups of processes while a test goes on: the sum of their PSS, which counts shared pages once (Linux). */

import { Worker } from "node:worker_threads";

export type MemoryReport = {
  /** PSS, MiB: highest sum, and the middle of all sums, which is what a group holds at rest. */
  peak: number;
  median: number;
  /**
   * The same without files that are mapped (the program itself). PSS shares those among all processes of the machine, so it
   * rises and falls when others run the same program.
   */
  ownPeak: number;
  ownMedian: number;
  samples: number;
  /** Longest time between two samples, milliseconds: a report with a long gap proves less. */
  gap: number;
};

/**
 * Begins to sample every `interval` milliseconds. Each group is a process with all its descendants, looked up for each
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
      type Memory = { pss: number; own: number };
      const answer = new Promise<{ sums: Record<G, Memory[]>; gap: number }>((resolve) =>
        worker.once("message", resolve),
      );
      worker.postMessage("stop");
      const { sums, gap } = await Promise.race([answer, failed]);
      await worker.terminate();
      const report = (all: Memory[]): MemoryReport => {
        const [pss, own] = [sorted(all.map(({ pss }) => pss)), sorted(all.map(({ own }) => own))];
        const middle = all.length >> 1;
        return {
          peak: mebibytes(pss.at(-1)),
          median: mebibytes(pss[middle]),
          ownPeak: mebibytes(own.at(-1)),
          ownMedian: mebibytes(own[middle]),
          samples: all.length,
          gap: Math.round(gap),
        };
      };
      return Object.fromEntries(
        Object.entries<Memory[]>(sums).map(([group, all]) => [group, report(all)]),
      ) as Record<G, MemoryReport>;
    },
  };
}

const sorted = (values: number[]) => values.toSorted((a, b) => a - b);
const mebibytes = (bytes = 0) => Math.round(bytes / (1 << 20));
