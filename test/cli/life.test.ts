/** Life of keys and accounts by the command line, on a running deployment. */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
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

const json = async <T>(...args: string[]): Promise<T> => {
  const { code, stdout, stderr } = await coffer(...args, "--json");
  expect(code, stderr).toBe(0);
  return JSON.parse(stdout) as T;
};
const listed = (user: string) => json<{ id: string; name: string }[]>("list", "--user", user);

it("W11 coffer account makes an account, rotates its key, schedules its deletion, cancels it, and deletes it at once where that is said", async () => {
  const as = ["--user", "bea"];
  const { id } = await json<{ id: string }>("account", "create", "Cases of 2026", ...as);
  expect(await json("account", "list", ...as)).toMatchObject([{}, { id, name: "Cases of 2026" }]);
  const of = ["--account", id, ...as];
  expect(await json("account", "rotate", ...of)).toMatchObject({ version: 2 });
  const days = (value: string) => coffer("account", "delete", "--days", value, ...of);
  expect(await days("6")).toMatchObject({ code: 2, stderr: "--days takes a whole number from 7 to 30.\n" });
  const scheduled = await days("7");
  expect(scheduled.stdout).toMatch(/will be deleted \d{4}-\d\d-\d\d \d\d:\d\d UTC/);
  const closed = await coffer("account", "rotate", ...of);
  expect(closed.code).toBe(1);
  expect(closed.stderr).toContain("[pending-deletion]");
  expect((await coffer("account", "list", ...as)).stdout).toContain("(will be deleted ");
  expect(await coffer("account", "cancel", ...of)).toMatchObject({ code: 0 });
  expect(await json("account", "rotate", ...of)).toMatchObject({ version: 3 });
  expect((await coffer("account", "delete", "--immediately", ...of)).stdout).toContain("is deleted.");
  expect(await json("account", "list", ...as)).toHaveLength(1);
  const foreign = await coffer("account", "delete", "--account", id, ...as);
  expect(`${foreign.code} ${foreign.stderr}`).toContain(`1 ${id} is no account of bea.`);
}, 240_000);

it("W10 coffer re-encrypt seals a document again, or all of an account, and the old ones go", async () => {
  const as = ["--user", "cyd"];
  for (const name of ["one.txt", "two.txt"]) writeFileSync(join(folder, name), `${name} is kept`);
  expect(await coffer("seal", ...as, "one.txt", "two.txt")).toMatchObject({ code: 0 });
  const before = await listed("cyd");
  expect(before.map(({ name }) => name).sort()).toEqual(["one.txt", "two.txt"]);
  const { id } = await json<{ id: string }>("re-encrypt", before[0]!.id, ...as);
  const between = (await listed("cyd")).map((document) => document.id).sort();
  expect(between).toEqual([before[1]!.id, id].sort());
  expect(await json("re-encrypt", "--all", ...as)).toMatchObject({ all: 2, done: 2, failed: 0 });
  const after = await listed("cyd");
  expect(after.map(({ name }) => name).sort()).toEqual(["one.txt", "two.txt"]);
  expect(after.filter((document) => between.includes(document.id))).toEqual([]);
  const one = after.find(({ name }) => name === "one.txt")!;
  const opened = await coffer("open", one.id, ...as, "--to", "again.txt");
  expect(opened, opened.stderr).toMatchObject({ code: 0 });
  expect(readFileSync(join(folder, "again.txt"), "utf8")).toBe("one.txt is kept");
  expect(await coffer("re-encrypt", before[0]!.id, ...as)).toMatchObject({ code: 1 });
}, 240_000);

it("W12 coffer instance lists the user's microservices and revokes one", async () => {
  writeFileSync(join(folder, "three.txt"), "three");
  expect(await coffer("seal", "--user", "dee", "three.txt")).toMatchObject({ code: 0 });
  const [first] = await json<{ id: string; status: string }[]>("instance", "list", "--user", "dee");
  expect(first).toMatchObject({ status: "active" });
  expect(await coffer("instance", "revoke", first!.id, "--user", "dee")).toMatchObject({ code: 0 });
  expect(await json("instance", "list", "--user", "dee")).toMatchObject([
    { id: first!.id, status: "revoked" },
  ]);
  const none = await coffer("instance", "revoke", "none", "--user", "dee");
  expect(`${none.code} ${none.stderr}`).toMatch(/^1 .*\[not-found\]/);
}, 240_000);

it("W10 coffer key says at level data that each document has a key of its own", async () => {
  expect(await json("key", "list", "--user", "ada")).toEqual([]);
  const rotated = await coffer("key", "rotate", "--user", "ada");
  expect(`${rotated.code} ${rotated.stderr}`).toMatch(/^1 .*\[conflict\]/);
}, 120_000);

it.each([
  [["account"], "coffer account: say list, create, rotate, delete or cancel."],
  [["account", "create"], "coffer account create takes a name."],
  [["account", "delete", "--days", "7", "--immediately"], "Say --days or --immediately, not both."],
  [["account", "delete", "--days", "x"], "--days takes a whole number"],
  [["key", "delete"], "coffer key delete takes a version."],
  [["key", "delete", "x"], "A version is ID.NUMBER"],
  [["key", "rotate", "--by", "hand"], "--by takes `instance`"],
  [["account", "rotate", "--by", "instance"], "--by goes with `coffer key rotate`."],
  [
    ["key", "toString"],
    "coffer key: say list, create, describe, tag, disable, enable, rotate, delete or cancel.",
  ],
  [["key", "create", "--algorithm", "AES-128"], "--algorithm is one of AES-256-GCM-HKDF"],
  [
    ["key", "create", "--algorithm", "ES256", "--state", "enabled"],
    "--state does not go with `coffer key create`.",
  ],
  [["key", "create", "--count", "17"], "--count takes a whole number from 1 to 16."],
  [["key", "list", "--limit", "101"], "--limit takes a whole number from 1 to 100."],
  [["key", "list", "--state", "gone"], "--state is one of enabled, disabled, ending."],
  [["key", "list", "--after", "x"], "--after takes a version."],
  [["key", "describe"], "coffer key describe takes a version."],
  [["key", "disable", "x"], "A version is ID.NUMBER"],
  [["key", "tag", "x.1", "matter"], "A tag is NAME=VALUE"],
  [["key", "tag", "x.1", "a=1", "a=2"], "each name once"],
  [["key", "rotate", "a", "b"], "coffer key rotate takes nothing more"],
  [["key", "rotate", "a", "--by", "instance"], "--by and a file do not go together."],
  [["account", "list", "--limit", "5"], "--limit goes with `coffer key`."],
  [["instance", "revoke"], "coffer instance revoke takes an id."],
  [["admin", "key", "list", "ada", "--state", "gone"], "--state is one of enabled, disabled, ending."],
  [["secret-zero", "--life", "3601"], "--life takes a whole number from 1 to 3600."],
  [["re-encrypt"], "coffer re-encrypt takes a document."],
  [["re-encrypt", "--all", "x"], "coffer re-encrypt takes nothing more."],
  [["re-encrypt", "x", "--before", "2026-01-01"], "--before goes with --all"],
])("coffer %j is a wrong command line, and says what is wrong", async (args, sentence) => {
  const { code, stdout, stderr } = await coffer(...args);
  expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  expect(stderr).toContain(sentence);
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
  const soon = await coffer(...at, ...there, "--retire", "--json");
  expect(JSON.parse(soon.stdout)).toEqual({
    ...{ tenant: "development", master, retired: null, ends: expect.any(Number) },
  });
  expect(await coffer(...at, "--keep", "--json")).toMatchObject({
    stdout: `${JSON.stringify({ tenant: "development", kept: replaced })}\n`,
  });
  const retired = await coffer(...at, ...there, "--retire", "--immediately");
  expect(retired, retired.stderr).toMatchObject({ code: 0 });
  expect(retired.stdout).toContain(`${replaced}, is destroyed`);
}, 120_000);

it("W9 coffer client makes a key, registers an application server by its public half, lists it, and removes it", async () => {
  const ada = ["--user", "ada"];
  const made = await coffer("client", "key", "server.pem");
  expect(made).toMatchObject({ code: 0, stderr: "" });
  expect(readFileSync(join(folder, "server.pem"), "utf8")).toContain("BEGIN PRIVATE KEY");
  expect(Object.keys(JSON.parse(made.stdout) as object)).toEqual(["kty", "crv", "x", "y"]);
  writeFileSync(join(folder, "server.jwk"), made.stdout);
  // Nobody overwrites a key that may be in use.
  expect((await coffer("client", "key", "server.pem")).code).toBe(1);
  const register = (file: string, ...as: string[]) =>
    coffer("client", "register", "reports", "--jwk", file, ...as);
  expect((await register("server.pem", ...ada)).stderr).toContain("has the private half");
  expect((await register("absent.jwk", ...ada)).stderr).toContain("cannot be read");
  expect((await register("server.jwk", "--user", "bea")).stderr).toContain("[forbidden]");
  const registered = await register("server.jwk", ...ada);
  expect(registered.stdout).toMatch(/^[a-z2-7]{32}\n$/);
  const id = registered.stdout.trim();
  expect(await json("client", "list", ...ada)).toMatchObject([{ name: "reports", id, app: "page" }]);
  expect((await coffer("client", "remove", "reports", ...ada)).stdout).toBe("reports is removed.\n");
  expect(await json("client", "list", ...ada)).toEqual([]);
  // As after a lost answer.
  expect((await coffer("client", "remove", "reports", ...ada)).stdout).toBe("reports is removed.\n");
  expect((await coffer("client", "remove", "absent", ...ada)).stderr).toContain("[not-found]");
  expect(await coffer("client", "register", "Reports", "--jwk", "server.jwk", ...ada)).toMatchObject({
    code: 2,
  });
  expect(await coffer("client", "register", "reports", ...ada)).toMatchObject({ code: 2 });
}, 240_000);
