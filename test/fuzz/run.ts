/**
 * `npm run fuzz -- --minutes N`: mutated messages through KMIP's codec and server. Prints executions per second and coverage
 * every ten seconds; ends with exit code 1 when something crashed, took over a second, or grew. Each finding is printed with
 * its input and written to a file at once. `--seed S` repeats a run; `--plant crash|lossy|hang|growth|server` puts a fault in, which
 * must be found.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Worker } from "node:worker_threads";
import { reportUncaught } from "#cli/report.ts";
import type { Coverage } from "./coverage.ts";
import type { Finding, FuzzReport } from "./fuzzer.ts";
import { PLANTS, type Plant } from "./plants.ts";
import { ENCODINGS, SHARED, type WorkerData } from "./worker.ts";

/** A thread that has not begun another execution for so long (ms) hangs, however busy the machine is. */
const STUCK = 60_000;

reportUncaught();
const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "1" },
    seed: { type: "string", default: String(Date.now() % 2 ** 32) },
    plant: { type: "string" },
    findings: { type: "string", default: "dist/fuzz" },
  },
});
const minutes = Number(values.minutes);
const plant = values.plant as Plant | undefined;
if (!(minutes > 0) || (plant !== undefined && !PLANTS.includes(plant))) {
  console.error("Usage: npm run fuzz -- --minutes N [--seed S] [--plant crash|lossy|hang|growth|server]");
  process.exit(2);
}

const shared = new SharedArrayBuffer(SHARED.size);
const numbers = new Int32Array(shared, 0, 4);
const workerData: WorkerData = { seed: Number(values.seed), seconds: minutes * 60, plant, shared };
console.log(`seed ${values.seed}, ${minutes} min`);
const worker = new Worker(new URL("./worker.ts", import.meta.url), { workerData });

const told: Finding[] = [];
let executions = -1;
let since = performance.now();
const watch = setInterval(() => {
  const now = Atomics.load(numbers, SHARED.executions);
  if (now !== executions) {
    executions = now;
    since = performance.now();
  } else if (now > 0 && performance.now() - since > STUCK) {
    const bytes = new Uint8Array(shared, SHARED.input, numbers[SHARED.length]).slice();
    const encoding = ENCODINGS[numbers[SHARED.encoding]!]!;
    const finding: Finding = {
      target: "?",
      kind: "hang",
      message: "it never ended",
      input: { bytes, encoding },
    };
    tell([...told, finding]);
    process.exit(1);
  }
}, 1000);

worker.on("message", ({ report, coverage, end }: { report: FuzzReport; coverage: Coverage; end?: true }) => {
  console.log(line(report, coverage));
  tell(report.findings);
  if (!end) return;
  clearInterval(watch);
  console.log(
    report.findings.length === 0
      ? "nothing found: no crash, no hang over 1 s, no growth"
      : `${report.findings.length} findings`,
  );
  process.exitCode = report.findings.length === 0 ? 0 : 1;
});
worker.on("error", (error) => {
  clearInterval(watch);
  console.error(error);
  process.exitCode = 1;
});

function line({ executions, seconds, kept, heap, findings }: FuzzReport, coverage: Coverage): string {
  const share = (part: number) => `${(part * 100).toFixed(1)} %`;
  return [
    `${seconds.toFixed(0).padStart(5)} s`,
    `${executions} executions`,
    `${Math.round(executions / seconds)}/s`,
    `kept ${kept}`,
    `functions ${share(coverage.functions / coverage.allFunctions)}`,
    `source ${share(coverage.source)}`,
    `heap ${Math.round(heap / 1e6)} MB`,
    `findings ${findings.length}`,
  ].join("  ");
}

/** Prints and writes those of the findings, each once, that are new. */
function tell(findings: readonly Finding[]): void {
  for (const [number, finding] of findings.entries()) {
    if (number < told.length) continue;
    told.push(finding);
    const { target, kind, message, input } = finding;
    console.log(`\n${kind} in ${target}: ${message}`);
    if (!input) continue;
    const { bytes, encoding } = input;
    mkdirSync(values.findings, { recursive: true });
    const file = join(values.findings, `${values.seed}-${number}.${encoding}`);
    writeFileSync(file, bytes);
    const shown = encoding === "ttlv" ? Buffer.from(bytes).toString("hex") : new TextDecoder().decode(bytes);
    console.log(`  ${file} (${bytes.length} bytes, ${encoding})\n  ${shown.slice(0, 600)}`);
  }
}
