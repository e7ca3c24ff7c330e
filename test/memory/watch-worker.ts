/** The thread of `watchMemory`. */

import { parentPort, workerData } from "node:worker_threads";
import type { Needle } from "./needle.ts";
import { scanProcess } from "./process.ts";
import type { Finding } from "./search.ts";

const { pid } = workerData as { pid: number };
const needles: Needle[] = [];
const found = new Map<string, Finding>();
let passes = 0;
let scanned = 0;
let stopping = false;

parentPort!.on("message", (message: { add?: Needle; stop?: boolean }) => {
  if (message.add) needles.push(message.add);
  if (message.stop) stopping = true;
});

while (true) {
  await new Promise((resolve) => setImmediate(resolve)); // takes in messages between passes
  const last = stopping; // every needle posted before the stop is in this pass
  if (needles.length > 0) {
    const pass = scanProcess(pid, needles);
    passes++;
    scanned += pass.scanned;
    for (const finding of pass.findings) found.set(`${finding.name} ${finding.form}`, finding);
  }
  if (last) break;
}
parentPort!.postMessage({ findings: [...found.values()], passes, scanned });
