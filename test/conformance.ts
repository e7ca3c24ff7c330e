/**
 * `npm run conformance`: runs the tests that are named after requirement rows and claims, and prints {row, title, tests,
 * passed, breaks, done} for every row. `breaks`: patches of test/breaks that a test of the row guards. A row is done when it
 * has a test, all of its tests pass, and there is such a patch. `--json` prints one JSON array on standard output and nothing
 * else there; `--from FILE` counts a report that vitest has already written. The exit code is 1 if a test of a row failed.
 */

import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
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
  --json          one JSON array on standard output: {row, title, tests, passed, breaks, done}
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
  return { row, title, tests: 0, passed: 0, breaks: new Set<string>() };
});
let failed = 0;
for (const { name, assertionResults } of report.testResults) {
  const guards = patches.filter(({ guard }) => guard === relative(root, name));
  for (const { ancestorTitles, title, fullName, status } of assertionResults) {
    // Skipped tests are no evidence: neither counted as a test of the row nor as passed.
    if (status !== "passed" && status !== "failed") continue;
    const broken = guards.filter(({ test }) => test.test(fullName));
    for (const id of rowsOf([...ancestorTitles, title])) {
      const row = counted.find((candidate) => candidate.row === id)!;
      row.tests++;
      for (const patch of broken) row.breaks.add(patch.name);
      if (status === "passed") row.passed++;
      else failed++;
    }
  }
}

const rows = counted.map(({ breaks, ...row }) => {
  const done = row.tests > 0 && row.passed === row.tests && breaks.size > 0;
  return { ...row, breaks: breaks.size, done };
});
if (values.json) process.stdout.write(`${JSON.stringify(rows)}\n`);
else {
  for (const { row, title, tests, passed, breaks, done } of rows) {
    const state = done ? "done" : tests === 0 ? "no test" : breaks === 0 ? "no break" : "fails";
    process.stdout.write(
      `${row.padEnd(4)} ${state.padEnd(8)} ${`${passed}/${tests}`.padStart(7)} ${String(breaks).padStart(3)}  ${title}\n`,
    );
  }
}
process.exitCode = failed > 0 ? 1 : 0;

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
