/** The package as `npm install` puts it into an empty folder: what npm makes of the manifest, and no link into this repository. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import type { Server } from "node:http";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { npm } from "#cli/npm.js";
import { packPackage } from "./installed.ts";
import { startRegistry } from "./registry.ts";

const dir = mkdtempSync(join(tmpdir(), "coffer-npm-"));
const folder = join(dir, "project");
let server: Server | undefined;

async function inProject(command: string, args: readonly string[]) {
  // The Node of this test, also for what npm starts.
  const path = [dirname(process.execPath), process.env.PATH].join(delimiter);
  const child = spawn(command, args, { cwd: folder, env: { PATH: path, HOME: dir } });
  let [stdout, stderr] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  const [code] = await once(child, "close");
  return { code, stdout, stderr };
}

beforeAll(async () => {
  const { tarball, install } = packPackage();
  const { manifest } = install("declares");
  mkdirSync(folder);
  writeFileSync(join(dir, "kit.tgz"), tarball);
  mkdirSync(join(dir, "registry"));
  const registry = await startRegistry(Object.keys(manifest.dependencies), join(dir, "registry"));
  server = registry.server;
  const { command, args } = npm();
  const options = ["--registry", registry.url, "--cache", join(dir, "cache"), "--no-audit", "--no-fund"];
  const installed = await inProject(command, [...args, "install", join(dir, "kit.tgz"), ...options]);
  expect(installed.stderr).toBe("");
  expect(installed.code).toBe(0);
});
afterAll(() => {
  server?.close();
  rmSync(dir, { recursive: true, force: true });
});

it("brings what runs there, and no optional peer", () => {
  const packages = readdirSync(join(folder, "node_modules"));
  expect(packages).toEqual(expect.arrayContaining(["@coffer", "idb", "reflect-metadata"]));
  for (const peer of ["miniflare", "msw", "playwright", "wrangler", "node"])
    expect(packages).not.toContain(peer);
});

it.each(["", "/microservice", "/envelope", "/kmip", "/kmip/node", "/hsm", "/enclave"])(
  "@coffer/kit%s is imported",
  async (entry) => {
    const source = `console.log(Object.keys(await import("@coffer/kit${entry}")).length > 0);`;
    const args = ["--input-type=module", "--eval", source];
    expect(await inProject(process.execPath, args)).toEqual({ code: 0, stdout: "true\n", stderr: "" });
  },
);

it("npx coffer --help", async () => {
  const { command, args } = npm();
  const asked = await inProject(command, [...args, "exec", "--offline", "--", "coffer", "--help"]);
  expect(asked).toMatchObject({ code: 0, stderr: "" });
  expect(asked.stdout).toContain("Usage: npx coffer COMMAND");
});
