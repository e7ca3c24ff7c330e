import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, it } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));
const dir = mkdtempSync(join(tmpdir(), "coffer-conformance-test-"));
afterAll(() => rmSync(dir, { recursive: true }));

/** What is printed where these tests have passed, each in its file. */
function printed(tests: Record<string, string>, ...options: string[]): string {
  const testResults = Object.entries(tests).map(([file, title]) => ({
    name: join(root, file),
    assertionResults: [{ ancestorTitles: [], title, fullName: title, status: "passed" }],
  }));
  const report = join(dir, "report.json");
  writeFileSync(report, JSON.stringify({ testResults }));
  const script = join(root, "test/conformance.ts");
  return spawnSync(process.execPath, [script, ...options, "--from", report], { encoding: "utf8" }).stdout;
}

const w7 = (tests: Record<string, string>) =>
  (JSON.parse(printed(tests, "--json")) as { row: string }[]).find(({ row }) => row === "W7");
/** Why W7 is not done, for people. */
const state = (tests: Record<string, string>) => /^W7 +(\S+(?: \S+)*)/m.exec(printed(tests))?.[1];

const UNIT = {
  "web/microservice/level-master.test.ts": "W7 drops what it decrypted at a lock, and all at a sign-out",
};
const REAL = "W7 drops what it decrypted at a lock, at once, and its encrypted copies at a sign-out";

it("counts a row as done by a test on the real parts that guards a patch, and by no test of a unit", () => {
  expect(w7(UNIT)).toMatchObject({ tests: 1, passed: 1, breaks: 1, real: 0, realBreaks: 0, done: false });
  const unguarded = { ...UNIT, "test/edge/application-server.test.ts": "W7 is shown in some other way" };
  expect(w7(unguarded)).toMatchObject({ tests: 2, breaks: 1, real: 1, realBreaks: 0, done: false });
  expect([state({}), state(UNIT), state(unguarded)]).toEqual(["no test", "units only", "no real break"]);
  const guarded = { ...UNIT, "test/edge/application-server.test.ts": REAL };
  expect(w7(guarded)).toMatchObject({ tests: 2, breaks: 2, real: 1, realBreaks: 1, done: true });
  expect(state(guarded)).toBe("done");
});
