/** A deployer's commands, as processes of their own. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Command, freePorts, run, start } from "./command.ts";

let folder: string;
let server: Command;
const coffer = (...args: string[]) => run(args, folder);

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "coffer-launch-"));
  server = start(["start", ...(await freePorts())], folder);
  await server.says("Coffer is running.");
});
afterAll(async () => {
  server?.process.kill("SIGINT");
  await server?.ended;
  rmSync(folder, { recursive: true, force: true });
});

describe("coffer secret-zero", () => {
  it("M2 prints a token for the deployer's own custodian, and with --json for whom and until when", async () => {
    const plain = await coffer("secret-zero", "--user", "dora");
    expect(plain.stderr).toBe("");
    expect(plain.stdout).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+\n$/);
    const { code, stdout } = await coffer("secret-zero", "--user", "dora", "--life", "9", "--json");
    expect(code).toBe(0);
    const { secretZero, custodian, expires } = JSON.parse(stdout) as Record<string, string>;
    expect(custodian).toMatch(/^CN=[a-z2-7]{32},OU=http:\/\/localhost:\d+,O=development$/);
    expect(secretZero).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+$/);
    expect(Date.parse(expires!) - Date.now()).toBeLessThanOrEqual(10_000);
  });

  it("M2 says in a sentence what is wrong", async () => {
    const foreign = await coffer("secret-zero", "--user", "dora", "--dn", "CN=somebody,OU=x,O=development");
    expect(foreign).toMatchObject({ code: 1, stdout: "" });
    expect(foreign.stderr).toMatch(/^You deploy for CN=.* alone, as which you are signed in\.\n$/);
    for (const [option, value] of [
      ["--life", "0"],
      ["--life", "3601"],
      ["--life", "soon"],
      ["--key", "short"],
    ] as const) {
      const wrong = await coffer("secret-zero", option, value);
      expect(wrong).toMatchObject({ code: 2, stdout: "" });
      expect(wrong.stderr).toContain(option);
    }
  });
});
