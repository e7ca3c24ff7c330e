/** Runs the tests that guard breaks in a scratch worktree, and says how they ended. */

import { closeSync, openSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { startGroup } from "../support/group.ts";
import type { Scratch } from "./scratch.ts";

export type Outcome = {
  /** `red`: an assertion failed, as it must be. `error`: no assertion did, and yet not all is well. */
  verdict: "red" | "green" | "unapplied" | "error";
  detail: string;
};

/** What is read of vitest's report. */
export type Report = {
  testResults: {
    message?: string;
    assertionResults: { fullName: string; status: string; failureMessages?: string[] }[];
  }[];
};

/** Tests that have not ended after so many milliseconds are ended. */
const LIMIT = 15 * 60_000;
/** What one test and one hook may take, for all projects: several guards share the machine. */
const PATIENCE = ["--testTimeout=120000", "--hookTimeout=180000"];

/**
 * Runs the tests of a file whose full name matches the pattern; vitest's report, or why there is none. Ends early where
 * the signal is aborted.
 */
export async function runTests(
  { tree, home }: Scratch,
  file: string,
  pattern: string,
  interrupted: AbortSignal,
): Promise<Report | string> {
  const report = join(home, "report.json");
  const log = join(home, "log");
  rmSync(report, { force: true });
  const output = openSync(log, "w");
  const vitest = [join(tree, "node_modules/vitest/vitest.mjs"), "run", ...PATIENCE];
  const chosen = [file, `--testNamePattern=${pattern}`];
  const reporter = ["--reporter=json", `--outputFile=${report}`];
  const group = startGroup(process.execPath, [...vitest, ...chosen, ...reporter], {
    cwd: tree,
    output,
    // What a test leaves behind when it is ended goes with the scratch folder.
    env: { ...process.env, TMPDIR: home, NODE_OPTIONS: "--disable-warning=ExperimentalWarning" },
  });
  const signal = AbortSignal.any([interrupted, AbortSignal.timeout(LIMIT)]);
  signal.addEventListener("abort", () => void group.kill());
  if (interrupted.aborted) void group.kill();
  await group.ended;
  closeSync(output);
  if (signal.aborted) return `not at an end after ${LIMIT / 60_000} minutes`;
  try {
    return JSON.parse(readFileSync(report, "utf8")) as Report;
  } catch {
    return `no report: ${firstLine(readFileSync(log, "utf8"))}`;
  }
}

/** A break counts only where an assertion failed: a test that errs elsewhere may not have come to what it asserts. */
export function judge(report: Report | string, test: string): Outcome {
  if (typeof report === "string") return { verdict: "error", detail: report };
  const { testResults } = report;
  const name = new RegExp(test);
  const ran = testResults
    .flatMap(({ assertionResults }) => assertionResults)
    .filter(({ fullName, status }) => name.test(fullName) && (status === "passed" || status === "failed"));
  if (ran.length === 0) {
    const message = testResults.map(({ message }) => message).find(Boolean);
    return { verdict: "error", detail: `no test ran: ${firstLine(message ?? "the name matches none")}` };
  }
  const failures = ran.flatMap(({ failureMessages }) => failureMessages ?? []);
  // The last is how `expect(…).rejects` and `.resolves` fail.
  const assertion = failures.find((message) =>
    /^(AssertionError|Error: expect|Error: promise .* instead of (rejecting|resolving))/s.test(message),
  );
  if (assertion) return { verdict: "red", detail: firstLine(assertion) };
  const [failure] = failures;
  if (failure !== undefined)
    return { verdict: "error", detail: `failed without an assertion: ${firstLine(failure)}` };
  return { verdict: "green", detail: `${ran.length} tests passed` };
}

export function firstLine(text: string): string {
  return (text.split("\n").find((line) => line.trim()) ?? "").trim().slice(0, 160);
}
