/** Scans a process again and again on a thread of its own while a test goes on. */

import { Worker } from "node:worker_threads";
import type { Needle } from "./needle.ts";
import type { Finding } from "./search.ts";

export type MemoryWatch = {
  /** Looks for this secret too, from the next pass on. */
  add(needle: Needle): void;
  /** Lets one more whole pass with all needles end, then gives all that any pass found. */
  stop(): Promise<{ findings: Finding[]; passes: number; scanned: number }>;
};

/** Begins to scan the memory of `pid`, pass after pass. */
export function watchMemory(pid: number): MemoryWatch {
  const worker = new Worker(new URL("./watch-worker.ts", import.meta.url), { workerData: { pid } });
  const failed = new Promise<never>((_, reject) => worker.once("error", reject));
  failed.catch(() => {}); // reported by stop()
  return {
    add: (needle) => worker.postMessage({ add: needle }),
    async stop() {
      const ended = new Promise<{ findings: Finding[]; passes: number; scanned: number }>((resolve) =>
        worker.once("message", resolve),
      );
      worker.postMessage({ stop: true });
      const result = await Promise.race([ended, failed]);
      await worker.terminate();
      return result;
    },
  };
}
