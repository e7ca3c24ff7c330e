/**
 * `npm run conformance`: runs the tests that are named after requirement rows and claims, and prints {row, title, tests,
 * passed, breaks, real, realBreaks, done} for every row. `breaks`: patches of test/breaks that a test of the row guards. `real` and
 * `realBreaks`: the same of the tests on the real parts, which stand under test/; those beside the code are tests of units. A row is
 * done when all of its tests pass, one of them is on the real parts, and such a one guards a patch. `--json` prints one JSON array on standard output and nothing
 * else there; `--from FILE` counts a report that vitest has already written. The exit code is 1 if a test of a row failed.
 */

import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { CommandError } from "#cli/command-error.ts";
import { reportUncaught } from "#cli/report.ts";
import { readBreaks } from "./breaks/index.ts";
import { ROWS, rowsOf } from "./rows.ts";

/** `name`: the test file. */
type Report = {
  testResults: {
    name: string;
    assertionResults: { ancestorTitles: string[]; title: string; fullName: string; status: string }[];
  }[];
};

const HELP = `npm run -s conformance -- [options]
  --json          one JSON array on standard output: {row, title, tests, passed, breaks, real, realBreaks, done}
  --from FILE     counts a report that vitest has written (--reporter=json), and runs nothing
`;

reportUncaught();
const root = fileURLToPath(new URL("..", import.meta.url));
const { values } = parseArgs({
  options: { json: { type: "boolean" }, from: { type: "string" }, help: { type: "boolean" } },
});
if (values.help) {
  process.stdout.write(HELP);
  process.exit(0);
}
const report = values.from ? readReport(values.from) : runTests();

const patches = readBreaks().map(({ name, guard, test }) => ({ name, guard, test: new RegExp(test) }));
const counted = Object.entries(ROWS).map(([row, title]) => {
  return {
    row,
    title,
    tests: 0,
    passed: 0,
    breaks: new Set<string>(),
    real: 0,
    realBreaks: new Set<string>(),
  };
});
let failed = 0;
for (const { name, assertionResults } of report.testResults) {
  const file = relative(root, name);
  const guards = patches.filter(({ guard }) => guard === file);
  const isReal = file.startsWith(`test${sep}`);
  for (const { ancestorTitles, title, fullName, status } of assertionResults) {
    // Skipped tests are no evidence: neither counted as a test of the row nor as passed.
    if (status !== "passed" && status !== "failed") continue;
    const broken = guards.filter(({ test }) => test.test(fullName));
    for (const id of rowsOf([...ancestorTitles, title])) {
      const row = counted.find((candidate) => candidate.row === id)!;
      row.tests++;
      for (const patch of broken) row.breaks.add(patch.name);
      if (isReal) {
        row.real++;
        for (const patch of broken) row.realBreaks.add(patch.name);
      }
      if (status === "passed") row.passed++;
      else failed++;
    }
  }
}

const rows = counted.map(({ breaks, realBreaks, ...row }) => {
  const done = row.real > 0 && row.passed === row.tests && realBreaks.size > 0;
  return { ...row, breaks: breaks.size, realBreaks: realBreaks.size, done };
});
if (values.json) process.stdout.write(`${JSON.stringify(rows)}\n`);
else {
  for (const { row, title, tests, passed, breaks, real, realBreaks, done } of rows) {
    process.stdout.write(
      `${row.padEnd(4)} ${(done ? "done" : missing({ tests, passed, breaks, real, realBreaks })).padEnd(13)} ${`${passed}/${tests}`.padStart(7)} ${String(breaks).padStart(3)}  ${title}\n`,
    );
  }
}
process.exitCode = failed > 0 ? 1 : 0;

/** Why a row is not done. */
function missing(of: Record<"tests" | "passed" | "breaks" | "real" | "realBreaks", number>): string {
  if (of.tests === 0) return "no test";
  if (of.passed < of.tests) return "fails";
  if (of.breaks === 0) return "no break";
  if (of.real === 0) return "units only";
  // A test on the real parts there is, but what is broken turns tests of units red alone.
  return "no real break";
}

function readReport(file: string): Report {
  const text = readFileSync(file, "utf8");
  try {
    const { testResults } = JSON.parse(text) as Report;
    if (Array.isArray(testResults)) return { testResults };
  } catch {}
  throw new CommandError(`${file} is no report of vitest: write one with --reporter=json.`);
}

function runTests(): Report {
  const directory = mkdtempSync(join(tmpdir(), "coffer-conformance-"));
  const file = join(directory, "report.json");
  try {
    const named = ["-t", "(^| )\\(?[WMAB][0-9]+[ :,)]"];
    const args = [
      join(root, "node_modules/vitest/vitest.mjs"),
      "run",
      ...named,
      "--reporter=json",
      `--outputFile=${file}`,
    ];
    // What vitest prints goes to standard error: standard output is for the figures.
    spawnSync(process.execPath, args, { cwd: root, stdio: ["ignore", 2, 2] });
    return JSON.parse(readFileSync(file, "utf8")) as Report;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
