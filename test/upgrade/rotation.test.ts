/**
 * The master key of a folder of 783953a is replaced and destroyed before anyone who had an account there comes back: their keys, which
 * were in the tenant's object, have moved with the others.
 */

import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { sha256 } from "#protocol/digest.ts";
import { type Command, freePorts, run, start } from "../cli/command.ts";
import { ONE_OBJECT, unpackFolder } from "./folder.ts";

const TENANT = "development";
const sealed = ONE_OBJECT.sealed[TENANT];
let folder: string;
let server: Command;
let rotate: string[];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "coffer-upgrade-rotation-"));
  unpackFolder("783953a", join(folder, ".coffer"));
  const ports = await freePorts();
  server = start(["start", "--admin", "carol", ...ports], folder);
  await server.says("Coffer is running.");
  const pki = (file: string) => join(folder, ".coffer", "pki", file);
  const [cert, key] = [pki("client-coffer-officer.pem"), pki("client-coffer-officer.key")];
  const port = ports[ports.indexOf("--ttlv-port") + 1] ?? "";
  const officer = ["--port", port, "--ca", pki("server-ca.pem"), "--cert", cert, "--key", key];
  rotate = ["rotate", "--tenant", TENANT, ...officer, "--dir", ".coffer", "--user", "carol"];
});
afterAll(async () => {
  server?.process.kill("SIGINT");
  await server?.ended;
  rmSync(folder, { recursive: true, force: true });
});

it("W12 a rotation moves the accounts that nobody has used since, and the old key is destroyed after them alone", async () => {
  // Carol is here to administer, and has an account like everybody.
  const listed = await run(["list", "--user", "carol", "--json"], folder);
  expect(listed, listed.stderr).toMatchObject({ code: 0 });
  const moved = await run([...rotate, "--json"], folder);
  expect(moved, moved.stderr).toMatchObject({ code: 0 });
  const { all, moved: count } = JSON.parse(moved.stdout) as { all: number; moved: number };
  expect(count).toBe(all);
  expect(all).toBeGreaterThan(Object.keys(sealed).length);
  const retired = await run([...rotate, "--retire"], folder);
  expect(retired, retired.stderr).toMatchObject({ code: 0 });
  for (const [user, documents] of Object.entries(sealed)) {
    const { code, stderr } = await run(["export", "--all", "--user", user, "--to", user], folder);
    expect(code, stderr).toBe(0);
    const at = join(folder, user);
    const files = readdirSync(at).map((name) => [name, readFileSync(join(at, name))] as const);
    const digests = await Promise.all(
      files.map(async ([name, bytes]) => [
        name,
        Buffer.from(await sha256(new Uint8Array(bytes))).toString("hex"),
      ]),
    );
    expect(Object.fromEntries(digests)).toEqual(documents);
  }
}, 180_000);
