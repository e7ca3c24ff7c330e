/** Life of keys and accounts by the command line, on a running deployment. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Command, freePorts, run, start } from "./command.ts";

let folder: string;
let server: Command;
let officer: string[];
const coffer = (...args: string[]) => run(args, folder);

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "coffer-life-"));
  const ports = await freePorts();
  server = start(["start", "--admin", "ada", ...ports], folder);
  await server.says("Coffer is running.");
  const pki = (file: string) => join(folder, ".coffer", "pki", file);
  const [cert, key] = [pki("client-coffer-officer.pem"), pki("client-coffer-officer.key")];
  const port = ports[ports.indexOf("--ttlv-port") + 1] ?? "";
  officer = ["--port", port, "--ca", pki("server-ca.pem"), "--cert", cert, "--key", key];
});
afterAll(async () => {
  server?.process.kill("SIGINT");
  await server?.ended;
  rmSync(folder, { recursive: true, force: true });
});

it("W12 coffer rotate shows the move to its end, and the old key goes only after it", async () => {
  const listed = await coffer("list", "--user", "ada", "--json");
  expect(listed, listed.stderr).toMatchObject({ code: 0, stdout: "[]\n" });
  const at = ["rotate", "--tenant", "development", ...officer];
  const begun = await coffer(...at, "--json");
  expect(begun, begun.stderr).toMatchObject({ code: 0 });
  const { master, replaced } = JSON.parse(begun.stdout) as { master: string; replaced: string };
  const there = ["--dir", ".coffer", "--user", "ada"];
  const early = await coffer(...at, ...there, "--retire");
  expect(`${early.code} ${early.stderr}`).toMatch(/^1 The move under the new master key was not begun\./);
  const moved = await coffer(...at, ...there, "--json");
  expect(moved, moved.stderr).toMatchObject({ code: 0 });
  expect(JSON.parse(moved.stdout)).toEqual({
    ...{ tenant: "development", master, replaced },
    ...{ all: expect.any(Number), moved: expect.any(Number), failed: 0 },
  });
  const retired = await coffer(...at, ...there, "--retire");
  expect(retired, retired.stderr).toMatchObject({ code: 0 });
  expect(retired.stdout).toContain(`${replaced}, is destroyed`);
}, 120_000);
