/**
 * Every command with --json, by one table: what it prints is JSON, a value a line, and so is its error. A command, or a verb of one, that has no row
 * here makes this red.
 */

import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { helps } from "#cli/commands.ts";
import { wordsOf } from "#cli/completion.ts";
import { type Command, freePorts, type Outcome, run, start } from "./command.ts";

/** What earlier rows have found out, by the names that later ones ask for. */
type Known = Record<string, string>;
type Row = {
  /** The command line without --json. */
  line: (known: Known) => string[];
  /** What stands on standard input. */
  input?: (known: Known) => string;
  /** 0 where it is not said. Where it is not, standard error ends with an error in JSON. */
  code?: number;
  /** What later rows need of the last value, of an array of its first. */
  keep?: (value: Known) => Known;
};

const row = (...line: string[]): Row => ({ line: () => line });
const ada = ["--user", "ada"];
const officer = (known: Known) => ["--port", known.ttlv!, ...known.officer!.split(" ")];

/** In this order, on one deployment of level `data`. What needs another level, or a process that runs on, fails here, and says so in JSON. */
const ROWS: Row[] = [
  row("help"),
  row("help", "seal"),
  row("help", "exit-codes"),
  row("completion"),
  {
    line: () => ["seal", "-", "--name", "one.txt", ...ada],
    input: () => "one",
    keep: ({ id, account }) => ({ id: id!, account: account! }),
  },
  row("list", ...ada),
  { line: ({ id }) => ["open", id!, ...ada] },
  { ...row("open", "nothing", ...ada), code: 1 },
  {
    line: ({ id }) => ["re-encrypt", id!, ...ada],
    keep: ({ id }) => ({ id: id! }),
  },
  row("re-encrypt", "--all", ...ada),
  {
    line: () => ["rename", "one.txt", "another.txt", ...ada],
    keep: ({ id }) => ({ id: id! }),
  },
  {
    line: ({ id }) => ["replace", id!, "one.json", ...ada],
    keep: ({ id }) => ({ id: id! }),
  },
  { line: ({ id }) => ["versions", id!, ...ada] },
  { ...row("versions", "nothing", ...ada), code: 1 },
  {
    line: ({ id }) => ["restore", id!, "--version", "1", ...ada],
    keep: ({ id }) => ({ id: id! }),
  },
  { line: ({ id }) => ["finish", id!, ...ada] },
  { ...row("finish", "nothing", ...ada), code: 1 },
  row("audit", "list", ...ada),
  row("instance", "passkeys", ...ada),
  { ...row("instance", "remove-passkey", "absent", ...ada), code: 1 },
  row("admin", "standing", ...ada),
  row("export", "--all", "--to", "out", ...ada),
  row("delete", "another.txt", ...ada),
  row("restore", ...ada),
  row("account", "list", ...ada),
  {
    ...row("account", "create", "Cases", ...ada),
    keep: ({ id }) => ({ cases: id! }),
  },
  { line: ({ cases }) => ["account", "rotate", "--account", cases!, ...ada] },
  { line: ({ cases }) => ["account", "delete", "--account", cases!, ...ada] },
  { line: ({ cases }) => ["account", "cancel", "--account", cases!, ...ada] },
  {
    ...row("key", "create", ...ada),
    keep: ({ edk }) => ({ edk: edk! }),
  },
  {
    ...row("key", "list", ...ada),
    keep: ({ key }) => ({ key: key! }),
  },
  ...["describe", "disable", "enable", "delete", "cancel"].map(
    (verb): Row => ({ line: ({ key }) => ["key", verb, key!, ...ada] }),
  ),
  { line: ({ key }) => ["key", "tag", key!, "case=7", ...ada] },
  {
    ...row("key", "create", "--own", ...ada),
    keep: ({ key }) => ({ own: key! }),
  },
  row("key", "list", "--own", ...ada),
  ...["describe", "disable", "enable", "delete", "cancel"].map(
    (verb): Row => ({ line: ({ own }) => ["key", verb, own!, "--own", ...ada] }),
  ),
  { line: ({ own }) => ["key", "tag", own!, "case=7", "--own", ...ada] },
  { line: () => ["key", "rotate", "-", ...ada], input: ({ edk }) => edk! },
  {
    ...row("instance", "list", ...ada),
    keep: ({ id }) => ({ instance: id! }),
  },
  { line: ({ instance }) => ["instance", "revoke", instance!, ...ada] },
  { ...row("instance", "rotate-key", "absent.pem", ...ada), code: 2 },
  {
    line: () => ["account", "list", "--user", "grace"],
    keep: ({ id }) => ({ theirs: id! }),
  },
  {
    line: () => ["seal", "-", "--name", "shared.txt", ...ada],
    input: () => "for grace too",
    keep: ({ id }) => ({ shared: id! }),
  },
  {
    line: ({ shared, theirs }) => ["share", shared!, theirs!, ...ada],
    keep: ({ share }) => ({ share: share! }),
  },
  row("shares", ...ada),
  row("shares", "--received", "--user", "grace"),
  { line: ({ shared, share }) => ["unshare", shared!, share!, ...ada] },
  row("member", "list", ...ada),
  row("member", "add", "grace", ...ada),
  row("member", "remove", "grace", ...ada),
  { line: ({ account }) => ["member", "leave", "--account", account!, ...ada], code: 1 },
  row("admin", "role", "add", "auditor", "grace", ...ada),
  row("admin", "role", "list", ...ada),
  row("admin", "role", "remove", "auditor", "grace", ...ada),
  row("admin", "group", "add", "staff", "grace", ...ada),
  row("admin", "group", "list", ...ada),
  row("admin", "group", "list", "staff", ...ada),
  row("admin", "group", "remove", "staff", "grace", ...ada),
  {
    ...row("admin", "instance", "list", "ada", ...ada),
    keep: ({ id }) => ({ instance: id! }),
  },
  { line: ({ instance }) => ["admin", "instance", "revoke", "ada", instance!, ...ada] },
  row("admin", "key", "list", "ada", ...ada),
  ...["describe", "disable", "enable", "delete", "cancel"].map(
    (verb): Row => ({
      line: ({ own }) => ["admin", "key", verb, "ada", own!, ...ada],
    }),
  ),
  { line: ({ own }) => ["admin", "key", "tag", "ada", own!, "case=8", ...ada] },
  { line: ({ account }) => ["admin", "quota", "set", account!, "--documents", "9", ...ada] },
  { line: ({ account }) => ["admin", "quota", "show", account!, ...ada] },
  { ...row("admin", "role", "list", "--user", "eve"), code: 1 },
  {
    ...row("client", "key", "-"),
    keep: ({ key }) => ({ pem: key! }),
  },
  {
    ...row("client", "key", "server.pem"),
    keep: (jwk) => ({ jwk: JSON.stringify(jwk) }),
  },
  {
    line: () => ["client", "register", "reports", "--jwk", "-", ...ada],
    input: ({ jwk }) => jwk!,
    keep: ({ id }) => ({ client: id! }),
  },
  row("client", "list", ...ada),
  {
    line: ({ client }) => ["client", "rotate", client!, "--key", "server.pem", "--jwk", "-"],
    input: ({ jwk }) => jwk!,
  },
  row("client", "remove", "reports", ...ada),
  row("secret-zero", ...ada),
  row("launch", "--once", ...ada),
  row("doctor", ...ada),
  row("policy", "show", ...ada),
  { ...row("policy", "check", "-"), input: () => POLICY },
  { ...row("policy", "put", "-", ...ada), input: () => POLICY },
  {
    ...row("policy", "test", "-", "--principal", "CN=ada", "--action", "encrypt", "--resource", "keys/k"),
    input: () => POLICY,
  },
  {
    ...row("policy", "test", "-", "--principal", "CN=ada", "--action", "decrypt", "--resource", "keys/k"),
    input: () => POLICY,
    // Denied is an answer, and no error.
    code: 3,
  },
  row("release", "--number", "1", "--key", "release.pem", "--web", ".coffer/web"),
  {
    line: () => ["release", "--number", "2", "--key", "-", "--web", ".coffer/web", ...LOG],
    input: () => readFileSync(join(folder, "release.pem"), "utf8"),
  },
  {
    line: () => ["release", "sign-log", ...LOG],
    keep: ({ logKey }) => ({ logKey: logKey! }),
  },
  {
    line: ({ vault, logKey }) => [
      ...["release", "verify", vault!, "--log", "log", "--log-key", logKey!, "--key", "release-public.pem"],
    ],
  },
  { ...row("microservice", "absent.json"), code: 1 },
  { ...row("sidecar", "absent.json"), code: 1 },
  row("hsm", "--issue-only", "--dir", "kmip"),
  { ...row("hsm", "principal", "fred", "--dir", "kmip"), input: () => "a password of fred\n" },
  { line: (known) => ["init", "--tenant", "development", "--dry-run", ...officer(known)] },
  { line: (known) => ["operations", "--tenant", "development", ...officer(known)] },
  { line: (known) => ["rotate", "--tenant", "development", "--keep", ...officer(known)] },
  { ...row("recovery", "prepare", "--recovery-key", "absent.pem"), code: 2 },
  { ...row("recovery", "destroy", "--tenant", "development"), code: 2 },
  {
    line: () => ["recovery", "thumbprint", "--recovery-key", "-", "--recovery-passphrase-file", "passphrase"],
    input: () => readFileSync(join(folder, "recovery.pem"), "utf8"),
  },
  { ...row("recovery", "begin", "--tenant", "development"), code: 2 },
  { ...row("recovery", "end"), code: 2 },
];
/** For a server that has ended. */
const AFTER: Row[] = [
  row("audit", "export", "--to", "audit.ndjson"),
  {
    line: () => ["audit", "verify", "-"],
    input: () => readFileSync(join(folder, "audit.ndjson"), "utf8"),
  },
  { ...row("list", ...ada), code: 1 },
];

const POLICY = JSON.stringify({
  statements: [{ effect: "allow", principals: "*", actions: ["encrypt"], resources: "*" }],
});
const LOG = ["--log", "log", "--log-name", "acme.example/log", "--log-key", "log.pem"];

let folder: string;
let server: Command;
const known: Known = {};

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "coffer-json-"));
  const pem = { format: "pem", type: "pkcs8" } as const;
  const put = (name: string, text: string | Buffer) =>
    writeFileSync(join(folder, name), text, { mode: 0o600 });
  const release = generateKeyPairSync("ec", { namedCurve: "P-256" });
  put("release.pem", release.privateKey.export(pem));
  put("release-public.pem", release.publicKey.export({ format: "pem", type: "spki" }));
  put("log.pem", generateKeyPairSync("ed25519").privateKey.export(pem));
  const passphrase = "a secret of the recovery recipient";
  const recovery = generateKeyPairSync("rsa", { modulusLength: 3072 }).privateKey;
  put("recovery.pem", recovery.export({ ...pem, cipher: "aes-256-cbc", passphrase }));
  put("passphrase", passphrase);
  put("one.json", "{}");
  const ports = await freePorts();
  known.ttlv = ports[ports.indexOf("--ttlv-port") + 1]!;
  const pki = (file: string) => join(folder, ".coffer/pki", file);
  const [cert, key] = [pki("client-coffer-officer.pem"), pki("client-coffer-officer.key")];
  known.officer = ["--ca", pki("server-ca.pem"), "--cert", cert, "--key", key].join(" ");
  server = start(["start", "--json", "--admin", "ada", ...ports], folder);
  await server.says(`"event":"running"`);
  const { vault } = JSON.parse(readFileSync(join(folder, ".coffer/deployment.json"), "utf8")) as Known;
  known.vault = vault!;
}, 240_000);
afterAll(async () => {
  server?.process.kill("SIGINT");
  await server?.ended;
  rmSync(folder, { recursive: true, force: true });
});

/** The values of an output, each of which is a line. */
function valuesOf(text: string): unknown[] {
  expect(text, text).toMatch(/^(?:[^\n]+\n)*$/);
  return text
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line) as unknown);
}

/** What it says on standard error ends with the error, in JSON. */
function errorOf({ stderr, code }: Outcome): { code: string; message: string } {
  const [error] = valuesOf(`${stderr.trimEnd().split("\n").at(-1)}\n`) as {
    error: { code: string; message: string };
  }[];
  expect(error).toEqual({
    error: { code: expect.stringMatching(/^[\w-]+$/), message: expect.any(String), exit: code },
  });
  return error!.error;
}

async function runRow({ line, input, code = 0, keep }: Row): Promise<void> {
  const args = line(known);
  const ended = await run([...args, "--json"], folder, input?.(known) ?? "");
  const told = `coffer ${args.join(" ")}: ${ended.stdout}${ended.stderr}`;
  expect(ended.code, told).toBe(code);
  const values = valuesOf(ended.stdout);
  if (code === 1 || code === 2) {
    expect(values, told).toEqual([]);
    errorOf(ended);
    return;
  }
  expect(values.length, told).toBeGreaterThan(0);
  const last = values.at(-1);
  if (keep) Object.assign(known, keep((Array.isArray(last) ? last[0] : last) as Known));
}

/** All of them, so that one that fails says nothing of the others. */
async function runAll(rows: readonly Row[]): Promise<void> {
  const wrong: string[] = [];
  for (const one of rows)
    await runRow(one).catch((error: Error) => wrong.push(`${one.line(known).join(" ")}: ${error.message}`));
  expect(wrong).toEqual([]);
}

/** Each command with the verbs that its help has. */
async function commandLines(): Promise<string[][]> {
  return [...(await helps())].flatMap(([name, help]) => {
    const { verbs } = wordsOf(name, help);
    return verbs.length > 0 ? verbs.map((verb) => [name, verb]) : [[name]];
  });
}

it("each command and each verb has a row here, and its help tells of --json", async () => {
  const lines = [...ROWS, ...AFTER].map(({ line }) => line(new Proxy({}, { get: () => "" }) as Known));
  const has = (wanted: string[]) => lines.some((line) => wanted.every((word, at) => line[at] === word));
  const lacking = (await commandLines()).filter((wanted) => wanted[0] !== "start" && !has(wanted));
  expect(lacking.map((wanted) => wanted.join(" "))).toEqual([]);
  for (const [name, help] of await helps()) expect(wordsOf(name, help).options, name).toContain("--json");
});

describe("on a deployment", () => {
  it("each command prints JSON, a value a line, and says in JSON why it failed", async () => {
    await runAll(ROWS);
  }, 1_200_000);

  it("a wrong line is told in JSON by each command", async () => {
    for (const name of (await helps()).keys()) {
      const ended = await run([name, "--json", "--no-such-option"], folder);
      expect(ended, name).toMatchObject({ code: 2, stdout: "" });
      expect(errorOf(ended), name).toMatchObject({ code: "command-line" });
    }
    const none = await run(["no-such-command", "--json"], folder);
    expect(errorOf(none)).toEqual({
      ...{ code: "command-line", exit: 2 },
      message: "coffer: there is no command 'no-such-command'.",
    });
  }, 120_000);

  it("coffer start tells its steps, where it runs, and that it stops, a value a line", async () => {
    server.process.kill("SIGINT");
    const { code, stdout } = await server.ended;
    expect(code).toBe(0);
    const events = valuesOf(stdout) as { event: string }[];
    expect(new Set(events.map(({ event }) => event))).toEqual(new Set(["step", "running", "stopping"]));
    expect(events.at(-1)).toEqual({ event: "stopping" });
    await runAll(AFTER);
  }, 240_000);
});
