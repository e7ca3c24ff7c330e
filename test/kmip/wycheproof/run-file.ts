import { basename } from "node:path";
import { driverOf } from "./drivers.ts";
import { fault, type Outcomes } from "./outcome.ts";
import type { KmipSession } from "./session.ts";
import { readVectors, type Vector } from "./vectors.ts";

export interface FileResult {
  file: string;
  passed: number;
  failed: number;
  /** Vectors that no operation is there for; the reasons are in `reasons`. */
  skipped: number;
  reasons: string[];
  failures: { tcId: number; result: Vector["result"]; comment: string; flags: string[]; reason: string }[];
  /** What the server made of `acceptable` vectors, by their flags. */
  acceptable: Record<string, { accepted: number; refused: number }>;
}

/** Puts every vector of a file to the server, many at a time. Throws where the file cannot be read. */
export async function runFile(path: string, session: KmipSession): Promise<FileResult> {
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
  const runs = file.testGroups.flatMap((group) => {
    const driver = driverOf(file, group);
    if (typeof driver === "string") return [];
    return group.tests.map(async (test) => {
      const { reason, outcomes } = await outcome(() => driver(test, group, session), test);
      if (reason === undefined) result.passed++;
      else {
        result.failed++;
        const { tcId, comment, flags = [], result: wanted } = test;
        result.failures.push({ tcId, result: wanted, comment, flags, reason });
      }
      if (test.result === "acceptable" && reason === undefined) note(result, test, outcomes);
    });
  });
  await Promise.all(runs);
  result.failures.sort((a, b) => a.tcId - b.tcId);
  return { ...result, reasons: [...reasons] };
}

async function outcome(
  run: () => Promise<Outcomes>,
  { result }: Vector,
): Promise<{ reason?: string | undefined; outcomes: Outcomes }> {
  try {
    const outcomes = await run();
    return { reason: fault(result, outcomes), outcomes };
  } catch (error) {
    return { reason: error instanceof Error ? error.message : String(error), outcomes: {} };
  }
}

function note({ acceptable }: FileResult, { flags = [] }: Vector, outcomes: Outcomes): void {
  const name = flags.join(", ") || "no flag";
  const counts = acceptable[name] ?? { accepted: 0, refused: 0 };
  acceptable[name] = counts;
  counts[Object.values(outcomes)[0]!.answer as "accepted" | "refused"]++;
}
