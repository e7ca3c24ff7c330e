import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { decodeItem, type Encoding, encodeItem, type Item, KmipEncodeError } from "#protocol/kmip/index.ts";
import { mutateBytes } from "./mutate-bytes.ts";
import { mutateItems } from "./mutate-items.ts";
import type { Random } from "./random.ts";
import { IDENTIFIERS } from "./server-objects.ts";
import type { Input, Target } from "./targets.ts";

export interface Finding {
  target: string;
  /** `crash`: an error that is not the codec's own, or a broken promise of the target; `hang`: over a second; `growth`. */
  kind: "crash" | "hang" | "growth";
  message: string;
  input?: Input;
}

export interface FuzzReport {
  executions: number;
  seconds: number;
  /** Messages that were kept because something new became of them. */
  kept: number;
  /** Bytes that are alive after a collection. */
  heap: number;
  findings: Finding[];
}

export interface FuzzOptions {
  targets: readonly Target[];
  seeds: readonly Item[];
  random: Random;
  /** Asked after each execution. */
  done: (report: FuzzReport) => boolean;
  /** Told each input before it is run, so that someone outside can tell which one hangs. */
  onInput?: (input: Input, target: Target) => void;
  /** Executions between clean states of the targets; memory is measured then. */
  epoch?: number;
  /** Bytes that may stay alive more than after the first epoch. */
  maximumGrowth?: number;
}

const HANG = 1000;
const CORPUS = 4096;
const MAX_INPUT_BYTES = 1 << 16;

/** Runs mutated messages through the targets until `done`; stops at twenty findings. */
export async function fuzz(options: FuzzOptions): Promise<FuzzReport> {
  const { targets, random, done, onInput, epoch = 2000, maximumGrowth = 48 * 1024 * 1024 } = options;
  const collect = collector();
  const corpus = [...options.seeds];
  const known = new Set<string>();
  const found = new Set<string>();
  const report: FuzzReport = { executions: 0, seconds: 0, kept: 0, heap: 0, findings: [] };
  const began = performance.now();
  let base: number | undefined;

  const tell = (finding: Finding) => {
    const key = `${finding.target} ${finding.kind} ${finding.message.replace(/\d+/g, "#")}`;
    if (found.has(key)) return;
    found.add(key);
    report.findings.push(finding);
  };

  while (report.findings.length < 20) {
    const { input, tree } = nextInput(corpus, random);
    const target = targets[report.executions % targets.length]!;
    onInput?.(input, target);
    const started = performance.now();
    const cpu = process.threadCpuUsage();
    try {
      const signature = `${target.name} ${await target.run(input)}`;
      if (!known.has(signature) && known.size < 20_000) {
        known.add(signature);
        const kept = tree ?? readable(input);
        if (kept && corpus.length < CORPUS) corpus.push(kept);
        else if (kept) corpus[random.below(CORPUS)] = kept;
        if (kept) report.kept++;
      }
    } catch (error) {
      const { name, message, stack = "" } = error as Error;
      const place = stack.split("\n").find((line) => /protocol\/|emulator\//.test(line));
      tell({
        target: target.name,
        kind: "crash",
        message: `${name}: ${message} ${place?.trim() ?? ""}`,
        input,
      });
    }
    const took = performance.now() - started;
    if (took > HANG) {
      // On a busy machine time passes without us: only time that was worked counts.
      const { user, system } = process.threadCpuUsage(cpu);
      if ((user + system) / 1000 > HANG)
        tell({ target: target.name, kind: "hang", message: `took ${Math.round(took)} ms`, input });
    }
    report.executions++;
    report.seconds = (performance.now() - began) / 1000;
    if (report.executions % epoch === 0) {
      for (const one of targets) await one.reset();
      report.heap = collect();
      // The corpus and V8's own tables settle in the first epochs.
      if (report.executions === 3 * epoch) base = report.heap;
      if (base !== undefined && report.heap > base + maximumGrowth)
        tell({
          target: "all",
          kind: "growth",
          message: `${Math.round(report.heap / 1e6)} MB are alive, after the first epochs it was ${Math.round(base / 1e6)} MB`,
        });
    }
    if (done(report)) break;
  }
  return report;
}

/** Mostly a changed tree in TTLV; sometimes another encoding, sometimes changed bytes as well or only those. */
function nextInput(corpus: readonly Item[], random: Random): { input: Input; tree?: Item } {
  const original = random.pick(corpus);
  const tree = random.chance(5) ? original : mutateItems(original, random, { corpus, texts: IDENTIFIERS });
  const wanted: Encoding = random.chance(3) ? random.pick(["json", "xml"]) : "ttlv";
  const { bytes, encoding } = encoded(tree, wanted);
  if (tree !== original && !random.chance(4)) return { input: { bytes, encoding }, tree };
  const other = encoded(random.pick(corpus), encoding).bytes;
  return { input: { bytes: mutateBytes(bytes, other, random).slice(0, MAX_INPUT_BYTES), encoding } };
}

/** In the encoding that is wanted, or as TTLV where a text has characters that XML cannot hold. */
function encoded(tree: Item, wanted: Encoding): Input {
  try {
    return { bytes: encodeItem(tree, wanted).slice(0, MAX_INPUT_BYTES), encoding: wanted };
  } catch (error) {
    if (!(error instanceof KmipEncodeError)) throw error;
    return { bytes: encodeItem(tree).slice(0, MAX_INPUT_BYTES), encoding: "ttlv" };
  }
}

function readable({ bytes, encoding }: Input): Item | undefined {
  try {
    return decodeItem(bytes, { encoding });
  } catch {
    return undefined;
  }
}

/** Collects garbage and tells what is alive. */
function collector(): () => number {
  setFlagsFromString("--expose-gc");
  const gc = runInNewContext("gc") as () => void;
  return () => {
    gc();
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  };
}
