/** M9 by the command line: a document under a seed from a file or standard input, and none on the command line. */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Command, freePorts, run, start } from "./command.ts";

let folder: string;
let server: Command;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "coffer-cli-seed-"));
  server = start(["start", ...(await freePorts())], folder);
  await server.says("Coffer is running.");
}, 120_000);
afterAll(async () => {
  server.process.kill("SIGINT");
  await server.ended;
  rmSync(folder, { recursive: true, force: true });
}, 60_000);

it("M9 seals under a passphrase from standard input or a file, and opens with the same alone", async () => {
  writeFileSync(join(folder, "plan.txt"), "a plan\n");
  writeFileSync(join(folder, "passphrase"), "a passphrase that nobody guesses");
  const user = ["--user", "ada"];
  const sealed = await run(
    ["seal", "plan.txt", "--seed", "-", ...user],
    folder,
    "a passphrase that nobody guesses\n",
  );
  expect(sealed.code, sealed.stderr).toBe(0);
  const [id = ""] = sealed.stdout.split("\t");
  const open = (seed: string[], input?: string) =>
    run(["open", id, "--to", "-", ...seed, ...user], folder, input);
  const without = await open([]);
  expect(without.code).toBe(1);
  expect(without.stderr).toContain("its passphrase or file");
  const wrong = await open(["--seed", "-"], "a passphrase that nobody guesses.\n");
  expect(wrong.code).toBe(1);
  expect(wrong.stderr).toContain("another passphrase or file");
  const opened = await open(["--seed", "passphrase"]);
  expect(opened.code, opened.stderr).toBe(0);
  expect(opened.stdout).toBe("a plan\n");
  const nothing = await open(["--seed", "-"], "");
  expect(nothing.code).toBe(1);
  expect(readFileSync(join(folder, "plan.txt"), "utf8")).toBe("a plan\n");
}, 120_000);
