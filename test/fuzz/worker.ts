/** The thread that fuzzes: it may hang, so the main thread watches it through shared memory. */
import { parentPort, workerData } from "node:worker_threads";
import { CoverageMeter } from "./coverage.ts";
import type { Plant } from "./plants.ts";

export interface WorkerData {
  seed: number;
  seconds: number;
  plant: Plant | undefined;
  shared: SharedArrayBuffer;
}

/** Layout of the shared memory: executions, length of the input, encoding (index), input. */
export const SHARED = { executions: 0, length: 1, encoding: 2, input: 16, size: 16 + (1 << 17) };
export const ENCODINGS = ["ttlv", "json", "xml"] as const;

if (parentPort) {
  const port = parentPort;
  const { seed, seconds, plant, shared } = workerData as WorkerData;
  // Before the code is loaded that is to be measured.
  const meter = new CoverageMeter(["/protocol/kmip/", "/kmip-node/", "/emulator/hsm/"]);
  const { fuzz } = await import("./fuzzer.ts");
  const { Random } = await import("./random.ts");
  const { codecTarget, serverTarget } = await import("./targets.ts");
  const { plantedDecode, plantedHook } = await import("./plants.ts");
  const { seeds } = await import("./seeds.ts");
  const numbers = new Int32Array(shared, 0, 4);
  const bytes = new Uint8Array(shared, SHARED.input);
  const targets = [codecTarget(plantedDecode(plant)), await serverTarget(seed, plantedHook(plant))];
  let next = 10;
  const report = await fuzz({
    targets,
    seeds: seeds(),
    random: new Random(seed),
    onInput: (input) => {
      Atomics.add(numbers, SHARED.executions, 1);
      numbers[SHARED.length] = input.bytes.length;
      numbers[SHARED.encoding] = ENCODINGS.indexOf(input.encoding);
      bytes.set(input.bytes.subarray(0, bytes.length));
    },
    done: (now) => {
      if (now.seconds >= next) {
        next = now.seconds + 10;
        port.postMessage({ report: now, coverage: meter.take() });
      }
      return now.seconds >= seconds;
    },
  });
  for (const target of targets) target.close();
  port.postMessage({ report, coverage: meter.take(), end: true });
}
