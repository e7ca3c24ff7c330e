import { basename } from "node:path";
import { driverOf } from "./drivers.ts";
import { fault, type Outcomes } from "./outcome.ts";
import type { KmipSession } from "./session.ts";
import { readVectors, type Vector } from "./vectors.ts";

export interface FileResult {
  file: string;
  passed: number;
  failed: number;
  /** Vectors that no operation is there for, or that a server of others does not support; the reasons are in `reasons`. */
  skipped: number;
  reasons: string[];
  failures: { tcId: number; result: Vector["result"]; comment: string; flags: string[]; reason: string }[];
  /** What the server made of `acceptable` vectors, by their flags. */
  acceptable: Record<string, { accepted: number; refused: number }>;
}

/**
 * Puts every vector of a file to the server, many at a time. What a `foreign` server does not support is not offered; our own
 * has to do all that there is a driver for. Throws where the file cannot be read.
 */
export async function runFile(
  path: string,
  session: KmipSession,
  { foreign = false } = {},
): Promise<FileResult> {
  const file = readVectors(path);
  const reasons = new Set<string>();
  const result: FileResult = {
    file: basename(path),
    passed: 0,
    failed: 0,
    skipped: 0,
    reasons: [],
    failures: [],
    acceptable: {},
  };
  for (const group of file.testGroups) {
    const driver = driverOf(file, group);
    if (typeof driver !== "string") continue;
    reasons.add(driver);
    result.skipped += group.tests.length;
  }
  const runs = file.testGroups.map(async (group) => {
    const driver = driverOf(file, group);
    if (typeof driver === "string") return;
    const tried = await Promise.all(
      group.tests.map(async (test) => ({ test, ...(await outcome(() => driver(test, group, session))) })),
    );
    const lacking = foreign ? notSupported(tried) : new Map<string, string>();
    for (const { test, error, outcomes: all } of tried) {
      const outcomes = Object.fromEntries(Object.entries(all).filter(([name]) => !lacking.has(name)));
      if (Object.keys(all).length > 0 && Object.keys(outcomes).length === 0) {
        result.skipped++;
        for (const [name, detail] of lacking) reasons.add(`${name}: ${detail}`);
        continue;
      }
      const reason = error ?? fault(test.result, outcomes);
      if (reason === undefined) result.passed++;
      else {
        result.failed++;
        const { tcId, comment, flags = [], result: wanted } = test;
        result.failures.push({ tcId, result: wanted, comment, flags, reason });
      }
      if (test.result === "acceptable" && reason === undefined) note(result, test, outcomes);
    }
  });
  await Promise.all(runs);
  result.failures.sort((a, b) => a.tcId - b.tcId);
  return { ...result, reasons: [...reasons] };
}

async function outcome(run: () => Promise<Outcomes>): Promise<{ error?: string; outcomes: Outcomes }> {
  try {
    return { outcomes: await run() };
  } catch (error) {
    return { error: error instanceof Error ? error.message : String(error), outcomes: {} };
  }
}

/** Operations that a valid vector of the group shows not to be supported, with the server's words. */
function notSupported(tried: readonly { test: Vector; outcomes: Outcomes }[]): Map<string, string> {
  const valid = tried.filter(({ test }) => test.result === "valid");
  const refused = valid
    .flatMap(({ outcomes }) => Object.entries(outcomes))
    .filter(([, one]) => one.notSupported);
  return new Map(refused.map(([name, { detail = "" }]) => [name, detail]));
}

function note({ acceptable }: FileResult, { flags = [] }: Vector, outcomes: Outcomes): void {
  const name = flags.join(", ") || "no flag";
  const counts = acceptable[name] ?? { accepted: 0, refused: 0 };
  acceptable[name] = counts;
  counts[Object.values(outcomes)[0]!.answer as "accepted" | "refused"]++;
}
