/**
 * `npm run test:breaks`: applies each patch of these folders to a scratch worktree of HEAD and runs the test that guards
 * what it breaks. The test must fail by an assertion; anything else (green, no such test, a patch that does not apply,
 * an error outside of an assertion) is reported and makes the exit code 1. That the unpatched tree passes is `npm test`'s
 * to show; `--control` runs each guard unpatched first. `--only NAME,NAME` chooses patches.
 */

import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { type Break, readBreaks } from "./index.ts";

type Outcome = { verdict: "red" | "green" | "error"; detail: string };
type Report = {
  testResults: {
    message?: string;
    assertionResults: { fullName: string; status: string; failureMessages?: string[] }[];
  }[];
};

const root = fileURLToPath(new URL("../..", import.meta.url));
const { values } = parseArgs({ options: { only: { type: "string" }, control: { type: "boolean" } } });
const only = values.only?.split(",");
const breaks = readBreaks().filter(({ name }) => !only || only.some((wanted) => name.includes(wanted)));

const scratch = mkdtempSync(join(tmpdir(), "coffer-breaks-"));
const tree = join(scratch, "tree");
const rows: { name: string; ok: boolean; detail: string; seconds: number }[] = [];
try {
  git(root, ["worktree", "add", "--detach", "--quiet", tree, "HEAD"]);
  symlinkSync(join(root, "node_modules"), join(tree, "node_modules"), "dir");
  for (const each of breaks) {
    const began = performance.now();
    const outcome = tryBreak(each);
    const row = {
      name: each.name,
      ok: outcome.verdict === "red",
      detail:
        outcome.verdict === "red" ? outcome.detail : `${outcome.verdict.toUpperCase()}: ${outcome.detail}`,
      seconds: (performance.now() - began) / 1000,
    };
    rows.push(row);
    const mark = row.ok ? "red as it must be" : "NOT AS IT MUST BE";
    process.stdout.write(
      `${mark.padEnd(18)} ${row.seconds.toFixed(0).padStart(4)} s  ${each.name}: ${each.breaks}\n`,
    );
    process.stdout.write(`${" ".repeat(26)}${row.detail}\n`);
  }
} finally {
  spawnSync("git", ["-C", root, "worktree", "remove", "--force", tree]);
  rmSync(scratch, { recursive: true, force: true });
}
const good = rows.filter(({ ok }) => ok).length;
process.stdout.write(`\n${good} of ${rows.length} breaks turned their test red\n`);
process.exitCode = good === rows.length && rows.length > 0 ? 0 : 1;

function tryBreak(each: Break): Outcome {
  if (values.control) {
    const control = runGuard(each);
    if (control.verdict !== "green") return { verdict: "error", detail: `unpatched: ${control.detail}` };
  }
  const applied = spawnSync("git", ["-C", tree, "apply", each.patch], { encoding: "utf8" });
  if (applied.status !== 0)
    return { verdict: "error", detail: `does not apply: ${firstLine(applied.stderr)}` };
  try {
    return runGuard(each);
  } finally {
    git(tree, ["checkout", "--quiet", "--", "."]);
    git(tree, ["clean", "-fdq", "-e", "node_modules"]);
  }
}

function runGuard(each: Break): Outcome {
  const file = join(scratch, "report.json");
  rmSync(file, { force: true });
  const args = [
    join(tree, "node_modules/vitest/vitest.mjs"),
    "run",
    each.guard,
    `--testNamePattern=${each.test}`,
  ];
  const run = spawnSync(process.execPath, [...args, "--reporter=json", `--outputFile=${file}`], {
    cwd: tree,
    encoding: "utf8",
    // Beside the scratch tree are no test vectors.
    env: {
      COFFER_VECTORS: join(root, "../shared/vectors"),
      ...process.env,
      NODE_OPTIONS: "--disable-warning=ExperimentalWarning",
    },
  });
  let report: Report;
  try {
    report = JSON.parse(readFileSync(file, "utf8")) as Report;
  } catch {
    return { verdict: "error", detail: `no report: ${firstLine(run.stderr)}` };
  }
  const ran = report.testResults
    .flatMap(({ assertionResults }) => assertionResults)
    .filter(({ status }) => status === "passed" || status === "failed");
  if (ran.length === 0) {
    const message = report.testResults.map(({ message }) => message).find(Boolean);
    return { verdict: "error", detail: `no test ran: ${firstLine(message ?? "the name matches none")}` };
  }
  const failures = ran.flatMap(({ failureMessages }) => failureMessages ?? []);
  // The last is how `expect(…).rejects` and `.resolves` fail.
  const assertion = failures.find((message) =>
    /^(AssertionError|Error: expect|Error: promise .* instead of (rejecting|resolving))/s.test(message),
  );
  if (assertion) return { verdict: "red", detail: firstLine(assertion) };
  if (failures.length > 0)
    return { verdict: "error", detail: `failed without an assertion: ${firstLine(failures[0]!)}` };
  return { verdict: "green", detail: `${ran.length} tests passed with the patch applied` };
}

function git(directory: string, args: string[]): void {
  const { status, stderr } = spawnSync("git", ["-C", directory, ...args], { encoding: "utf8" });
  if (status !== 0) throw new Error(`git ${args[0]}: ${stderr}`);
}

function firstLine(text: string): string {
  return (text.split("\n").find((line) => line.trim()) ?? "").trim().slice(0, 160);
}
