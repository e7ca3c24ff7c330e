/** W9: a CI job, which is a registered client: what it does without a person, on a deployment that it knows by a file, and what it may not. */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, it, vi } from "vitest";
import { rootKeyPem } from "#cli/root-key.ts";
import { decodeBase64url } from "#protocol/base64url.ts";
import { type Command, freePorts, type Outcome, run, start } from "./command.ts";

let folder: string;
let elsewhere: string;
let server: Command;
let pem: string;
let id: string;
let account: string;
const VARIABLE = "COFFER_TEST_CI_KEY";

const people = (...args: string[]) => run(args, folder);
/** By the registered key, in another folder, of which nothing runs. */
const job = async (args: string[], input?: string): Promise<Outcome> => {
  vi.stubEnv(VARIABLE, pem);
  const as = ["--client", id, "--client-key-env", VARIABLE, "--deployment", "coffer.json"];
  const ended = await run([...args, ...as], elsewhere, input);
  // Whatever becomes of it.
  expect(ended.stdout + ended.stderr).not.toContain(pem.split("\n")[1]!.slice(0, 40));
  return ended;
};
const said = <T>({ code, stdout, stderr }: Outcome): T => {
  expect(code, stderr).toBe(0);
  return JSON.parse(stdout) as T;
};
const refused = ({ code, stdout, stderr }: Outcome) => {
  expect({ code, stdout }, stderr).toEqual({ code: 1, stdout: "" });
  const last = stderr.trimEnd().split("\n").at(-1)!;
  return (JSON.parse(last) as { error: { code: string; message: string } }).error;
};

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "coffer-ci-"));
  elsewhere = mkdtempSync(join(tmpdir(), "coffer-ci-job-"));
  server = start(["start", "--admin", "ada", ...(await freePorts())], folder);
  await server.says("Coffer is running.");
  const { key, jwk } = said<{ key: string; jwk: object }>(await people("client", "key", "-", "--json"));
  pem = key;
  writeFileSync(join(folder, "job.jwk"), JSON.stringify(jwk));
  const registered = await people("client", "register", "ci", "--jwk", "job.jwk", "--user", "ada", "--json");
  ({ id } = said<{ id: string }>(registered));
  [{ id: account }] = said<[{ id: string }]>(await people("account", "list", "--user", "bea", "--json"));
  const { app, vault, rootKey } = JSON.parse(
    readFileSync(join(folder, ".coffer/deployment.json"), "utf8"),
  ) as Record<string, string>;
  // As an operator writes it, who has the root key in PEM.
  const of = { app, vault, rootKey: rootKeyPem(decodeBase64url(rootKey!)) };
  writeFileSync(join(elsewhere, "coffer.json"), JSON.stringify(of));
}, 240_000);
afterEach(() => vi.unstubAllEnvs());
afterAll(async () => {
  server?.process.kill("SIGINT");
  await server?.ended;
  for (const dir of [folder, elsewhere]) rmSync(dir, { recursive: true, force: true });
});

it("W9 a CI job seals, lists and opens by its key from the environment, without a person", async () => {
  const sealed = await job(["seal", "-", "--name", "build.log", "--json"], "all is green");
  const { id: document } = said<{ id: string }>(sealed);
  expect(said(await job(["list", "--json"]))).toMatchObject([{ id: document, name: "build.log" }]);
  const opened = await job(["open", document, "--to", "-"]);
  expect(opened, opened.stderr).toMatchObject({ code: 0, stdout: "all is green" });
  // What is its own is nobody else's.
  expect(said(await people("list", "--json", "--user", "bea"))).toEqual([]);
}, 120_000);

it("W9 a CI job takes part in an account as far as its owner says, shares nothing of it, and administers nothing", async () => {
  const own = ["--account", account];
  const into = () => job(["seal", "-", "--name", "report.txt", ...own, "--json"], "for bea");
  const stranger = await into();
  expect(refused(stranger).message).toContain("is no account of");
  const add = (role: string) => people("member", "add", id, "--role", role, ...own, "--user", "bea");
  expect(await add("reader")).toMatchObject({ code: 0 });
  expect(refused(await into()).code).toBe("forbidden");
  expect(await add("member")).toMatchObject({ code: 0 });
  const { id: document } = said<{ id: string }>(await into());
  const opened = await people("open", document, "--to", "-", "--user", "bea");
  expect(opened, opened.stderr).toMatchObject({ code: 0, stdout: "for bea" });
  expect(refused(await job(["member", "add", "eve", ...own, "--json"])).code).toBe("forbidden");
  expect(refused(await job(["account", "delete", ...own, "--json"])).code).toBe("forbidden");
  for (const line of [
    ["admin", "role", "list"],
    ["client", "list"],
    ["policy", "show"],
  ])
    expect(refused(await job([...line, "--json"])).code, line.join(" ")).toBe("forbidden");
}, 180_000);

it("W9 a CI job with a key that is not registered, or not any more, gets nothing", async () => {
  const own = pem;
  const before = said(await job(["list", "--json"]));
  pem = said<{ key: string }>(await people("client", "key", "-", "--json")).key;
  expect(refused(await job(["list", "--json"])).code).toBe("invalid-client");
  pem = own;
  expect(said(await job(["list", "--json"]))).toEqual(before);
  expect(await people("client", "remove", "ci", "--user", "ada")).toMatchObject({ code: 0 });
  expect(refused(await job(["list", "--json"])).code).toBe("invalid-client");
}, 120_000);

it.each([
  [{ app: "http://app.example", vault: "https://vault.example", rootKey: "AAAA" }, "is not HTTPS"],
  [{ app: "https://app.example", vault: "http://127.0.0.1.example", rootKey: "AAAA" }, "is not HTTPS"],
  [{ app: "https://app.example", vault: "https://vault.example", rootKey: "-----BEGIN x" }, "no P-256"],
  [{ app: "https://app.example" }, "is no deployment"],
])("W9 a deployment %j is refused before anything is asked of it", async (of, sentence) => {
  writeFileSync(join(elsewhere, "wrong.json"), JSON.stringify(of));
  writeFileSync(join(elsewhere, "key.pem"), pem, { mode: 0o600 });
  const as = ["--client", id, "--client-key", "key.pem", "--deployment", "wrong.json", "--json"];
  expect(refused(await run(["list", ...as], elsewhere)).message).toContain(sentence);
});
