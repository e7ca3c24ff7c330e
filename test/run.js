// `npm test`: types, lint, unit tests, some of them on a second WebCrypto engine, system tests, in this order. All of them run even when one fails, the last line is
// `N passed, N failed, N skipped`, and the exit code is 1 if anything failed. `npm test -- unit lint` runs only those, and
// `npm test -- system test/cli test/upgrade` of the tests only what is below these folders.
// Plain JavaScript: started on any Node from 20 on, it goes on under the Node 24 of node_modules.
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { bundledNode } from "../cli/bundled-node.js";

const root = fileURLToPath(new URL("..", import.meta.url));
const bin = join(root, "node_modules", ".bin");
const node24 = bundledNode();

if (Number(process.versions.node.split(".")[0]) < 24 && !process.env.COFFER_NODE) {
  if (!node24 || !existsSync(node24)) {
    console.error(
      `The tests need Node 24 and this is ${process.versions.node}: run \`npm ci\`, or install Node 24.`,
    );
    process.exit(1);
  }
  const again = {
    cwd: root,
    stdio: /** @type {const} */ ("inherit"),
    env: { ...process.env, COFFER_NODE: node24 },
  };
  process.exit(
    spawnSync(node24, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], again).status ?? 1,
  );
}

const results = mkdtempSync(join(tmpdir(), "coffer-results-"));
const reasons = join(results, "skipped");
// Hundreds of tests start the command line: each would strip the types of its modules again.
process.env.NODE_COMPILE_CACHE ??= join(results, "compiled");
const total = { passed: 0, failed: 0, skipped: 0 };
/** @type {string[]} */
const trouble = [];
/**
 * Tests that failed and passed when their file ran again.
 * @type {string[]}
 */
const flaky = [];

const steps = {
  types: () => [".", "edge", "web", "web/client"].every((project) => tool("tsc", ["-p", project])),
  lint: () =>
    tool("biome", ["check", "--error-on-warnings", "."]) && tool(process.execPath, ["test/rooms.ts"]),
  unit: () => vitest("unit", "--project=unit"),
  peculiar: () =>
    vitest("peculiar", "--config=test/peculiar/vitest.config.ts", "--root=.", "--passWithNoTests"),
  system: () => vitest("system", "--project=system", "--project=alone"),
};
const asked = process.argv.slice(2).filter((argument) => !argument.includes("/"));
const below = process.argv.slice(2).filter((argument) => argument.includes("/"));
const unknown = asked.filter((name) => !(name in steps));
if (unknown.length > 0) {
  console.error(`No such step: ${unknown.join(", ")}. There are ${Object.keys(steps).join(", ")}.`);
  process.exit(2);
}

const began = Date.now();
for (const [name, step] of Object.entries(steps)) {
  if (asked.length > 0 && !asked.includes(name)) continue;
  console.log(`\n── ${name} ${"─".repeat(Math.max(0, 70 - name.length))}`);
  const start = Date.now();
  const ok = step();
  console.log(`${ok ? "ok" : "FAILED"}  ${name}, ${((Date.now() - start) / 1000).toFixed(1)} s`);
  if (!ok) trouble.push(name);
}
const skips = existsSync(reasons) ? new Set(readFileSync(reasons, "utf8").trim().split("\n")) : new Set();
rmSync(results, { recursive: true, force: true });

console.log(`\n${"─".repeat(74)}`);
for (const reason of skips) console.log(`skipped: ${reason}`);
for (const name of flaky) console.log(`flaky, failed at first: ${name}`);
if (trouble.length > 0) console.log(`failed: ${trouble.join(", ")}`);
console.log(`took ${((Date.now() - began) / 1000).toFixed(0)} s`);
console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
process.exit(trouble.length > 0 ? 1 : 0);

/**
 * A checker that has no tests to count: one failure if it fails.
 * @param {string} name
 * @param {string[]} args
 */
function tool(name, args) {
  const ok = run(name, args);
  if (!ok) total.failed++;
  return ok;
}

/**
 * @param {string} project
 * @param {string[]} options Which tests these are: a project of the root's configuration, several, or a configuration.
 */
function vitest(project, ...options) {
  let { ok, files } = runTests(project, below, options);
  const failed = failedOf(files);
  // A system test drives browsers, workers and an HSM on machines that do other work too. The few files that failed run once
  // more by themselves, and what passes then is named at the end, so that somebody finds out why.
  if (project === "system" && failed.length > 0 && failed.length <= 10) {
    console.log(`\nOnce more: ${failed.map((file) => relative(root, file)).join(", ")}`);
    const again = runTests(project, failed, [...options, "--no-file-parallelism"]);
    flaky.push(...passedNow(files, again.files));
    files = [...files.filter(({ name }) => !failed.includes(name)), ...again.files];
    ok = again.ok;
  }
  const counted = count(files);
  // A run that failed without a failed test (an error outside of any test, no report) counts as one failure.
  if (!ok && counted.failed === 0) counted.failed = 1;
  total.passed += counted.passed;
  total.failed += counted.failed;
  total.skipped += counted.skipped;
  console.log(`${project}: ${counted.passed} passed, ${counted.failed} failed, ${counted.skipped} skipped`);
  return ok && counted.failed === 0;
}

/** @typedef {{ name: string, status: string, assertionResults: { status: string, fullName: string }[] }} File */

/**
 * @param {string} project
 * @param {string[]} only What to run of it; default: all.
 * @param {string[]} options
 */
function runTests(project, only, options) {
  const path = join(results, `${project}.json`);
  rmSync(path, { force: true });
  const ok = run("vitest", [
    "run",
    ...only,
    ...options,
    "--reporter=default",
    "--reporter=json",
    `--outputFile.json=${path}`,
  ]);
  /** @type {File[]} */
  const tested = existsSync(path) ? JSON.parse(readFileSync(path, "utf8")).testResults : [];
  return { ok, files: tested };
}

/** @param {File[]} files */
function failedOf(files) {
  return files.filter(({ status }) => status === "failed").map(({ name }) => name);
}

/**
 * The names of what failed before and passes now; of a file that could not even be loaded, its own.
 * @param {File[]} before
 * @param {File[]} now
 */
function passedNow(before, now) {
  const passed = new Map(now.filter(({ status }) => status === "passed").map((file) => [file.name, file]));
  return before
    .filter(({ name, status }) => status === "failed" && passed.has(name))
    .flatMap(({ name, assertionResults }) => {
      const tests = assertionResults.filter(({ status }) => status === "failed");
      const file = relative(root, name);
      return tests.length > 0 ? tests.map(({ fullName }) => `${file}: ${fullName}`) : [file];
    });
}

/** @param {File[]} files */
function count(files) {
  const tests = files.flatMap(({ assertionResults }) => assertionResults);
  const of = (/** @type {string[]} */ ...states) =>
    tests.filter(({ status }) => states.includes(status)).length;
  // A file that could not even be loaded has no test results of its own.
  const unloaded = files.filter(
    ({ status, assertionResults }) =>
      status === "failed" && !assertionResults.some((test) => test.status === "failed"),
  );
  return {
    passed: of("passed"),
    failed: of("failed") + unloaded.length,
    skipped: of("pending", "skipped", "todo", "disabled"),
  };
}

/**
 * @param {string} name of an executable in node_modules/.bin, or its path
 * @param {string[]} args
 */
function run(name, args) {
  const env = {
    ...process.env,
    COFFER_SKIPPED: reasons,
    PATH: `${bin}${delimiter}${process.env.PATH ?? ""}`,
    NODE_OPTIONS: nodeOptions(),
  };
  return (
    spawnSync(resolve(bin, name), args, {
      cwd: root,
      stdio: "inherit",
      env,
      shell: process.platform === "win32",
    }).status === 0
  );
}

/** node:sqlite is a release candidate in Node 24: its warning says nothing that a reader can act on. */
function nodeOptions() {
  return `${process.env.NODE_OPTIONS ?? ""} --disable-warning=ExperimentalWarning`.trim();
}
