/** Data keys of level `data` by the command line, on a running deployment: what `coffer key` does over the routes of the KMS. */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { DescribedKey } from "#protocol/contract/index.ts";
import { type Command, freePorts, run, start } from "./command.ts";

let folder: string;
let server: Command;
const coffer = (args: string[], input?: string) => run(args, folder, input);

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "coffer-data-keys-"));
  server = start(["start", "--admin", "ada", ...(await freePorts())], folder);
  await server.says("Coffer is running.");
}, 120_000);
afterAll(async () => {
  server?.process.kill("SIGINT");
  await server?.ended;
  rmSync(folder, { recursive: true, force: true });
}, 60_000);

type Made = { key: string; edk: string };
const json = async <T>(args: string[], input?: string): Promise<T> => {
  const { code, stdout, stderr } = await coffer(["key", ...args, "--json"], input);
  expect(code, stderr).toBe(0);
  return JSON.parse(stdout) as T;
};
const names = (keys: DescribedKey[]) => keys.map(({ key }) => key).sort();

it("M17 coffer key makes data keys, and lists them by pages and filters", async () => {
  const as = ["--user", "ada"];
  const macs = await json<Made[]>([
    "create",
    "--algorithm",
    "HMAC-SHA256-HKDF-SHA512",
    "--count",
    "2",
    ...as,
  ]);
  expect(macs).toHaveLength(2);
  const [pair] = await json<Made[]>(["create", "--algorithm", "ES256", ...as]);
  const [one] = await json<Made[]>(["create", ...as]);
  const [data] = await json<Made[]>(["create", "--purpose", "data", ...as]);
  const all = await json<DescribedKey[]>(["list", ...as]);
  const made = [...macs, pair!, one!, data!].map(({ key }) => key);
  expect(names(all)).toEqual(expect.arrayContaining(made));
  const purpose = async (of: string) => names(await json<DescribedKey[]>(["list", "--purpose", of, ...as]));
  expect(await purpose("signature")).toEqual([pair!.key]);
  expect(await purpose("data")).toEqual([...macs, data!].map(({ key }) => key).sort());
  const operations = async (key: string) =>
    (await json<DescribedKey>(["describe", key, ...as])).operations.toSorted();
  expect(await operations(macs[0]!.key)).toEqual(["mac", "macVerify"]);
  expect(await operations(pair!.key)).toEqual(["sign", "verify"]);
  expect(await operations(data!.key)).toEqual(["decrypt", "encrypt"]);
  // A page, the one behind it, and what standard error says between them.
  const first = await coffer(["key", "list", "--limit", "2", "--json", ...as]);
  const page = JSON.parse(first.stdout) as DescribedKey[];
  expect(page).toEqual(all.slice(0, 2));
  expect(first.stderr).toBe(`There are more: --after ${page[1]!.key}\n`);
  expect(await json<DescribedKey[]>(["list", "--after", page[1]!.key, ...as])).toEqual(all.slice(2));
  const lines = await coffer(["key", "list", "--purpose", "signature", ...as]);
  expect(lines.stdout).toMatch(
    /^[\w-]+\.1 {2}\d{4}-\d\d-\d\d \d\d:\d\d UTC {2}signature {2}enabled {2}released 0 times\n$/,
  );
  const wrong = await coffer(["key", "create", "--purpose", "document", "--algorithm", "ES256", ...as]);
  expect(wrong).toMatchObject({ code: 2, stderr: "ES256 signs: its purpose is signature.\n" });
}, 240_000);

it("M17 coffer key tags, disables, schedules the deletion of, and rotates a key of level data, for nobody else", async () => {
  const as = ["--user", "bea"];
  const [{ key, edk } = { key: "", edk: "" }] = await json<Made[]>(["create", "--purpose", "data", ...as]);
  const described = () => json<DescribedKey>(["describe", key, ...as]);
  await json(["tag", key, "matter=4711", "for=court", ...as]);
  expect((await json<DescribedKey>(["tag", key, "matter=4712", ...as])).tags).toEqual({ matter: "4712" });
  expect(names(await json(["list", "--tag", "matter", ...as]))).toEqual([key]);
  expect(await json(["list", "--tag", "for", ...as])).toEqual([]);
  const rotate = (file: string, input?: string) => coffer(["key", "rotate", file, "--json", ...as], input);
  type Told = { error: { code: string; message: string } };
  const refused = async (file: string, input?: string) =>
    (JSON.parse((await rotate(file, input)).stderr.trimEnd().split("\n").at(-1) ?? "") as Told).error;
  writeFileSync(join(folder, "key.edk"), `${edk}\n`);

  expect(await json(["disable", key, ...as])).toMatchObject({ state: "disabled" });
  expect(names(await json(["list", "--state", "disabled", ...as]))).toEqual([key]);
  expect((await refused("key.edk")).code).toBe("forbidden");
  expect(await json(["enable", key, ...as])).toMatchObject({ state: "enabled" });

  const now = (await coffer(["key", "delete", key, "--immediately", ...as])).stderr;
  expect(now).toBe(`${key} is not a version that is deleted at once: say --days.\n`);
  expect(await described()).not.toHaveProperty("ends");
  const { ends } = await json<{ ends: number }>(["delete", key, "--days", "7", ...as]);
  expect(await described()).toMatchObject({ ends });
  const days = (ends - Date.now() / 1000) / 86_400;
  expect(days).toBeGreaterThan(6);
  expect(days).toBeLessThan(8);
  expect((await refused("key.edk")).code).toBe("forbidden");
  expect(await json(["cancel", key, ...as])).toEqual({ key });
  expect(await described()).not.toHaveProperty("ends");

  const stranger = await coffer(["key", "describe", key, "--user", "eve"]);
  expect(`${stranger.code} ${stranger.stderr}`).toMatch(/^1 .*\[not-found\]/);
  const theirs = await coffer(["key", "rotate", "key.edk", "--user", "eve"]);
  expect(`${theirs.code} ${theirs.stderr}`).toMatch(/^1 .*\[forbidden\]/);

  const next = await json<Made>(["rotate", "key.edk", ...as]);
  expect(next.key).toBe(key.replace(/\.1$/, ".2"));
  expect((await refused("-", edk)).code).toBe("conflict");
  const third = await rotate("-", next.edk);
  expect(JSON.parse(third.stdout)).toMatchObject({ key: key.replace(/\.1$/, ".3") });
  expect((await refused("-", "no key")).message).toBe("- holds no EDK.");
  expect((await refused("absent.edk")).message).toBe("absent.edk cannot be read.");
}, 240_000);

it("M11 a key of the tenant itself is ended by who ordered it, or by an admin, who is not overruled", async () => {
  const [eve, ada] = [
    ["--user", "eve"],
    ["--user", "ada"],
  ];
  const [made] = await json<Made[]>(["create", "--own", ...eve]);
  const key = made!.key;
  const said = async (...args: string[]) => coffer(args);
  expect(await said("key", "cancel", key, "--own", ...eve)).toMatchObject({
    code: 0,
    stdout: `${key} is kept.\n`,
  });
  expect((await said("key", "delete", key, "--own", "--days", "9", ...eve)).stdout).toMatch(
    new RegExp(`^${key} will be deleted \\d{4}-\\d\\d-\\d\\d`),
  );
  // It is none of an account's, and nobody else's.
  expect(await said("key", "delete", key, ...eve)).toMatchObject({ code: 1 });
  expect(await said("key", "cancel", key, "--own", ...ada)).toMatchObject({ code: 1 });
  expect((await said("admin", "key", "list", "eve", ...ada)).stdout).toMatch(
    new RegExp(`^${key}  .*document.*will be deleted`),
  );
  expect((await said("admin", "key", "list", "eve", "--state", "ending", ...ada)).stdout).toContain(key);
  expect((await said("admin", "key", "list", "eve", "--state", "enabled", ...ada)).stdout).not.toContain(key);
  // An admin calls off what an admin has decided, and not what the owner has.
  expect(await said("admin", "key", "cancel", "eve", key, ...ada)).toMatchObject({ code: 1 });
  expect((await said("admin", "key", "list", "eve", ...ada)).stdout).toContain("will be deleted");
  expect(await said("key", "cancel", key, "--own", ...eve)).toMatchObject({ code: 0 });
  expect(await said("admin", "key", "delete", "eve", key, ...eve)).toMatchObject({ code: 1 });
  expect(await said("admin", "key", "delete", "eve", key, "--days", "20", ...ada)).toMatchObject({ code: 0 });
  expect(await said("key", "cancel", key, "--own", ...eve)).toMatchObject({ code: 1 });
  expect(await said("admin", "key", "cancel", "eve", key, ...ada)).toMatchObject({ code: 0 });
  expect((await said("admin", "key", "list", "eve", ...ada)).stdout).not.toContain("will be deleted");
  // And what it is, its tags, and whether it is given out.
  const known = (who: string[], ...more: string[]) =>
    json<DescribedKey>(["describe", key, "--own", ...more, ...who]);
  expect(await known(eve)).toMatchObject({ key, state: "enabled", releases: 0, tags: {} });
  expect(await known(eve)).not.toHaveProperty("account");
  await json(["tag", key, "matter=4711", "--own", ...eve]);
  expect(names(await json(["list", "--own", "--tag", "matter", ...eve]))).toEqual([key]);
  expect(await json(["list", "--own", "--state", "ending", ...eve])).toEqual([]);
  expect(await json(["disable", key, "--own", ...eve])).toMatchObject({ state: "disabled" });
  const shown = await said("admin", "key", "describe", "eve", key, ...ada);
  expect(shown.stdout).toMatch(new RegExp(`^${key}  .*document  disabled  .*matter=4711  never used`));
  expect(await said("admin", "key", "enable", "eve", key, ...ada)).toMatchObject({ code: 1 });
  expect(await json(["enable", key, "--own", ...eve])).toMatchObject({ state: "enabled" });
  expect(await said("admin", "key", "tag", "eve", key, "for=court", ...ada)).toMatchObject({ code: 0 });
  expect(await said("admin", "key", "disable", "eve", key, ...ada)).toMatchObject({ code: 0 });
  expect(await said("key", "enable", key, "--own", ...eve)).toMatchObject({ code: 1 });
  expect((await said("admin", "key", "list", "eve", "--tag", "for", ...ada)).stdout).toContain("disabled");
  expect(await said("admin", "key", "enable", "eve", key, ...ada)).toMatchObject({ code: 0 });
  expect(await said("key", "describe", key, "--own", ...ada)).toMatchObject({ code: 1 });
  const next = await coffer(["key", "rotate", "-", "--json", ...eve], made!.edk);
  expect(JSON.parse(next.stdout)).toMatchObject({ key: key.replace(/\.1$/, ".2") });
  const theirs = await coffer(["key", "rotate", "-", ...ada], made!.edk);
  expect(`${theirs.code} ${theirs.stderr}`).toMatch(/^1 .*\[forbidden\]/);
  const wrong = [
    ["key", "delete", key, "--own", "--immediately", ...eve],
    ["key", "rotate", "--own", ...eve],
    ["key", "cancel", key, "--own", "--account", "x", ...eve],
    ["admin", "key", "delete", "eve", "nothing", ...ada],
    ["admin", "key", "cancel", "eve", key, "--days", "9", ...ada],
    ["admin", "key", "list", "eve", "--state", "gone", ...ada],
    ["admin", "key", "cancel", "eve", key, "--state", "ending", ...ada],
  ];
  for (const args of wrong) expect(await said(...args), args.join(" ")).toMatchObject({ code: 2 });
}, 240_000);
