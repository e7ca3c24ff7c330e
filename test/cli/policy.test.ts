/** Policies from the command line, as processes of their own. */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { run } from "./command.ts";

let folder: string;
const coffer = (...args: string[]) => run(["policy", ...args], folder);
const ADA = ["--principal", "CN=ada,O=acme", "--resource", "accounts/a1/keys/k1"];

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "coffer-policy-"));
  const write = (name: string, policy: object) => writeFileSync(join(folder, name), JSON.stringify(policy));
  const all = { principals: "*", actions: "*", resources: "*" };
  write("central.json", {
    statements: [
      { ...all, effect: "allow" },
      { ...all, effect: "deny", principals: [{ groups: ["contractors"] }] },
    ],
  });
  write("key.json", { operations: ["decrypt"], principals: ["CN=ada,O=acme"] });
  const deny = { statements: [{ ...all, effect: "deny" }] };
  write("table.json", { "*": { statements: [{ ...all, effect: "allow" }] }, acme: deny });
  write("wrong.json", { statements: [{ ...all, effect: "allow", actions: [] }] });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("M12, B3: coffer policy test", () => {
  it("explains an answer statement by statement", async () => {
    const files = ["central.json", "key.json"];
    const asks = ["test", ...files, ...ADA, "--action", "decrypt"];
    const staff = await coffer(...asks, "--group", "staff");
    expect(staff).toEqual({
      code: 0,
      stderr: "",
      stdout: `Allowed.

central.json
  1 allow applies: principals yes, actions yes, resources yes
  2 deny  does not apply: principals no, actions yes, resources yes

key.json
  1 deny  does not apply: principal no
  2 allow applies: operation yes, principal yes, tier yes, expires yes, wrapping yes
`,
    });
    const contractor = await coffer(...asks, "--group", "contractors");
    expect(contractor.stdout).toMatch(/^Denied: statement 2 of central\.json denies\.\n/);
    expect(contractor.code).toBe(3);
    const unknown = await coffer(...asks);
    expect(unknown.stdout).toContain("2 deny  applies: principals unknown,");
    expect(unknown.code).toBe(3);
    expect((await coffer(...asks, "--closed")).code).toBe(0);
  });

  it("refuses an action and a name that the key does not list", async () => {
    const sign = await coffer("test", "key.json", ...ADA, "--action", "sign");
    expect(sign.stdout).toMatch(/^Denied: no statement of key\.json allows\.\n/);
    expect(sign.code).toBe(3);
    const eve = ["--principal", "CN=eve,O=acme", "--resource", "keys/k1", "--action", "decrypt"];
    const denied = await coffer("test", "key.json", ...eve, "--json");
    expect(JSON.parse(denied.stdout)).toMatchObject({
      allowed: false,
      policies: [{ file: "key.json", statements: [{ applies: false }, { applies: false }] }],
    });
    expect(denied.code).toBe(3);
  });

  it.each([
    [["test", "key.json"], /say --principal, --action and --resource/],
    [["test", "key.json", ...ADA, "--action", "unwrap"], /--action is one of create, /],
    [["test", "key.json", ...ADA, "--action", "sign", "--tier", "gold"], /--tier is one of /],
    [["test", "key.json", ...ADA, "--action", "sign", "--at", "2026-02-30T00:00:00Z"], /--at is a moment/],
    [["test", "key.json", ...ADA, "--action", "sign", "--header", "a: b"], /--header needs --path/],
    [["test", "key.json", ...ADA, "--action", "sign", "--principal", "ada"], /no Distinguished Name/],
    [["test", ...ADA, "--action", "sign"], /name a file/],
    [["explain"], /say check, test or put/],
  ])("says what is wrong with %j", async (args, sentence) => {
    const { code, stdout, stderr } = await coffer(...args);
    expect(stderr).toMatch(sentence);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  });
});

describe("M12: coffer policy check", () => {
  it("reads both forms, and says where one is wrong", async () => {
    expect(await coffer("check", "central.json", "key.json")).toEqual({
      code: 0,
      stderr: "",
      stdout: "central.json: 1 allow, 1 deny\nkey.json: a key's policy\n",
    });
    const table = await coffer("check", "--table", "table.json");
    expect(table.stdout).toBe("table.json, *: 1 allow, 0 deny\ntable.json, acme: 0 allow, 1 deny\n");
    expect(await coffer("check", "--table", "central.json")).toMatchObject({ code: 1, stdout: "" });
    const wrong = await coffer("check", "wrong.json");
    expect(wrong.stderr).toMatch(/^wrong\.json is no policy: value\.statements\[0\]\.actions: .*\n$/);
    expect({ code: wrong.code, stdout: wrong.stdout }).toEqual({ code: 1, stdout: "" });
    const absent = await coffer("check", "absent.json");
    expect(absent.stderr).toMatch(/^absent\.json: .*\.\n$/);
    expect(absent.code).toBe(1);
  });
});

describe("M12: docs/policies.md", () => {
  const document = readFileSync(fileURLToPath(new URL("../../docs/policies.md", import.meta.url)), "utf8");
  const blocks = (language: string) =>
    [...document.matchAll(/^```(\w+)\n(.*?)^```$/gms)].flatMap(([, of, text]) =>
      of === language && text !== undefined ? [text] : [],
    );

  it("shows policies that are read, and commands that answer as it says", async () => {
    const [central, ...others] = blocks("json");
    writeFileSync(join(folder, "policy.json"), central!);
    for (const [at, policy] of others.entries()) {
      writeFileSync(join(folder, `example-${at}.json`), policy);
      expect(await coffer("check", `example-${at}.json`)).toMatchObject({ code: 0, stderr: "" });
    }
    const [session = ""] = blocks("console");
    const [command, ...answer] = session.replaceAll("\\\n", " ").split("\n");
    const args = command!.split(/\s+/).slice(3);
    expect((await coffer(...args)).stdout).toBe(answer.join("\n"));
  });
});
