/**
 * `npm run conformance`: runs the tests that are named after requirement rows and prints {row, title, tests, passed} for
 * every row. `--json` prints one JSON array on standard output and nothing else there; `--from FILE` counts a report that
 * vitest has already written. The exit code is 1 if a test of a row failed.
 */

import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { CommandError } from "#cli/command-error.ts";
import { reportUncaught } from "#cli/report.ts";
import { ROWS, rowsOf } from "./rows.ts";

type Report = {
  testResults: { assertionResults: { ancestorTitles: string[]; title: string; status: string }[] }[];
};

reportUncaught();
const { values } = parseArgs({ options: { json: { type: "boolean" }, from: { type: "string" } } });
const report = values.from ? readReport(values.from) : runTests();

const rows = Object.entries(ROWS).map(([row, title]) => ({ row, title, tests: 0, passed: 0 }));
let failed = 0;
for (const { assertionResults } of report.testResults) {
  for (const { ancestorTitles, title, status } of assertionResults) {
    // Skipped tests are no evidence: neither counted as a test of the row nor as passed.
    if (status !== "passed" && status !== "failed") continue;
    for (const id of rowsOf([...ancestorTitles, title])) {
      const row = rows.find((candidate) => candidate.row === id)!;
      row.tests++;
      if (status === "passed") row.passed++;
      else failed++;
    }
  }
}

if (values.json) process.stdout.write(`${JSON.stringify(rows)}\n`);
else {
  for (const { row, title, tests, passed } of rows) {
    process.stdout.write(`${row.padEnd(4)} ${`${passed}/${tests}`.padStart(7)}  ${title}\n`);
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
  const root = fileURLToPath(new URL("..", import.meta.url));
  try {
    const named = ["-t", "(^| )[WM][0-9]+[ :,]"];
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
