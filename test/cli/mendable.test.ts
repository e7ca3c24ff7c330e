/** What the user can mend is one sentence, whichever command and whatever the system refuses. Nothing here needs the edge. */

import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { missingProgram } from "../support/missing.ts";
import { listen } from "../support/ports.ts";
import { type Outcome, run, start } from "./command.ts";
import { runScript } from "./script.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const COFFER = join(ROOT, "cli/coffer.js");
const isRoot = process.getuid?.() === 0;

let folder: string;
let busy: Server;
let port: string;
const file = (name: string) => join(folder, name);

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "coffer-mendable-"));
  writeFileSync(file("file"), "");
  busy = createServer();
  port = String(await listen(busy));
});
afterAll(() => {
  busy.close();
  rmSync(folder, { recursive: true, force: true });
});

/** One line on standard error that names what is wrong, and no stack. */
function expectSentence({ stderr, code }: Outcome, sentence: string | RegExp, exit = 1): void {
  expect(stderr).toMatch(sentence);
  expect(stderr).not.toMatch(/^ +at |node:internal|Error: /m);
  expect(stderr.trim().split("\n")).toHaveLength(1);
  expect(code).toBe(exit);
}

it("W13 a folder of one worker is not started as units, which would find nothing of it", async () => {
  mkdirSync(file("whole/edge"), { recursive: true });
  const outcome = await run(["start", "--split", "--dir", "whole", "--once", "file"], folder);
  expectSentence(outcome, /whole is of one worker: with --split take another folder/);
});

it.each(["start", "init", "rotate", "recovery", "operations", "hsm", "seal", "open", "list", "export"])(
  "the help of coffer %s names what works in a clone",
  async (name) => {
    const { stdout } = await run([name, "--help"], ROOT);
    const command = name === "start" ? "npm start -- " : `node cli/coffer.js ${name}`;
    expect(stdout).toMatch(new RegExp(`Examples?: ${command}`));
    expect(stdout).not.toContain("npx");
    for (const [path] of stdout.matchAll(/\S*docs\/\S+/g))
      expect(existsSync(join(ROOT, path)), path).toBe(true);
  },
);

describe("ports and folders", () => {
  it.each(["--ttlv-port", "--https-port"])("coffer hsm %s that is busy", async (option) => {
    const outcome = await run(["hsm", "--dir", file("hsm"), option, port], folder);
    expectSentence(
      outcome,
      `Port ${port} on 127.0.0.1 is in use: stop what uses it, or choose another port.`,
    );
  });

  it.each([
    ["hsm", "--dir"],
    ["start", "--dir"],
    ["list", "--dir"],
    ["seal", "file", "--dir"],
  ])("coffer %s in a folder that is a file, or below one", async (...args) => {
    for (const dir of ["file", "file/below"])
      expectSentence(await run([...args, dir], folder), /a folder is needed|it is|is there already/);
  });

  it.skipIf(isRoot)("coffer hsm and start in a folder that cannot be written", async () => {
    mkdirSync(file("closed"), { mode: 0o500 });
    for (const command of ["hsm", "start"])
      expectSentence(await run([command, "--dir", "closed/x"], folder), "you have no permission");
    chmodSync(file("closed"), 0o700);
  });

  it("a key file of the HSM that others can read, or that is damaged", async () => {
    const dir = file("keys");
    mkdirSync(join(dir, "objects"), { recursive: true });
    const key = join(dir, "objects/hsm.key");
    writeFileSync(key, new Uint8Array(32), { mode: 0o644 });
    expectSentence(await run(["hsm", "--dir", dir], folder), "can be read by others");
    chmodSync(key, 0o600);
    writeFileSync(key, "short");
    expectSentence(await run(["hsm", "--dir", dir], folder), "is damaged");
  });

  it("a store of the HSM that is no database", async () => {
    const dir = file("store");
    mkdirSync(join(dir, "objects"), { recursive: true });
    writeFileSync(join(dir, "objects/hsm.sqlite"), "no database ".repeat(1000));
    expectSentence(await run(["hsm", "--dir", dir], folder), "The HSM's store: the database is damaged");
  });

  it("a server that was killed and left its address behind", async () => {
    const dir = file("gone");
    mkdirSync(dir);
    const address = `http://app.coffer.localhost:1`;
    const left = { app: address, vault: "http://vault.coffer.localhost:1", rootKey: "AAAA" };
    writeFileSync(join(dir, "deployment.json"), JSON.stringify(left));
    for (const args of [["list"], ["open", "x"], ["seal", "file"], ["export", "--all", "--to", "out"]])
      expectSentence(await run([...args, "--dir", dir], folder), `Nothing answers at ${address}`);
    expect(readdirSync(folder)).not.toContain("out");
  });
});

const noShell = missingProgram("bash");
const shell = (script: string) => {
  const { status, stdout, stderr } = spawnSync("bash", ["-c", script], { cwd: folder, encoding: "utf8" });
  return { code: status, stdout, stderr };
};
const coffer = `'${process.execPath}' '${COFFER}'`;

describe.skipIf(process.platform !== "linux" || noShell)("names that are not UTF-8", () => {
  it("on the command line are refused before anything is done, and no other file is taken for theirs", () => {
    writeFileSync(file("caf\ufffd"), "another file");
    for (const command of ["seal", "open x --to", "export --all --to", "start --once", "hsm --principals"])
      expectSentence(shell(`${coffer} ${command} $'caf\\xe9'`), "is not UTF-8", 2);
  });

  it("of the folder are refused: files would go into another one", () => {
    const made = shell(`mkdir $'dir\\xe9' && cd $'dir\\xe9' && ${coffer} hsm --issue-only`);
    expectSentence(made, "is not UTF-8: work in another one");
    // What would have been made is a folder whose name has the replacement character in it.
    expect(existsSync(file("dir\ufffd"))).toBe(false);
  });

  it("that only look so are taken", () => {
    expectSentence(shell(`${coffer} seal 'caf\ufffd'`), "Nothing runs from");
  });
});

describe.skipIf(process.platform === "win32")("outputs that take no more", () => {
  it("coffer hsm goes on when nobody reads what it says, and ends well", async () => {
    const child = spawn(process.execPath, [COFFER, "hsm", "--dir", file("unread")], {
      cwd: folder,
      stdio: ["ignore", "pipe", "pipe"],
    });
    let errors = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => (errors += text));
    child.stdout.destroy();
    const pid = join(file("unread"), "objects/hsm.pid");
    await expect
      .poll(() => readdirSync(folder, { recursive: true }), { timeout: 20_000 })
      .toContain(pid.slice(folder.length + 1));
    child.kill("SIGINT");
    const [code] = await once(child, "close");
    expect({ code, errors }).toEqual({ code: 0, errors: "" });
  });

  const noFullDevice = noShell || process.platform !== "linux";

  it.skipIf(noShell)("help to a reader that has ended is no failure, and nothing is said", () => {
    // The exit code is the command's, not that of what reads it.
    for (const args of [["--help"], ["hsm", "--help"]])
      expect(shell(`set -o pipefail; ${coffer} ${args.join(" ")} | true`)).toMatchObject({
        code: 0,
        stderr: "",
      });
  });

  it.skipIf(noFullDevice)("what a full disk did not take makes the exit code 1, and is said", () => {
    for (const args of [["--help"], ["hsm", "--help"], ["hsm", "--issue-only", "--dir", file("full")]])
      expectSentence(shell(`${coffer} ${args.join(" ")} > /dev/full`), "the disk is full");
  });
});

describe("one folder, one server", () => {
  const pidOf = (dir: string) => {
    const path = join(dir, "objects/hsm.pid");
    return existsSync(path) ? Number(readFileSync(path, "utf8")) : undefined;
  };

  it("the second HSM on a store is refused by the number of the first, which goes on", async () => {
    const dir = file("shared");
    const first = start(["hsm", "--dir", dir], folder);
    await first.says("The HSM emulator is running");
    expect(pidOf(dir)).toBe(first.process.pid);
    expectSentence(await run(["hsm", "--dir", dir], folder), `in use by process ${first.process.pid}`);
    // Certificates can be issued while a server runs.
    expect(await run(["hsm", "--dir", dir, "--issue-only", "--client", "late"], folder)).toMatchObject({
      code: 0,
    });
    first.process.kill("SIGKILL");
    await first.ended;
    const next = start(["hsm", "--dir", dir], folder);
    await next.says("The HSM emulator is running");
    next.process.kill("SIGTERM");
    expect(await next.ended).toMatchObject({ code: 0 });
  });

  it("two that start at one time on a new folder: one PKI, one server, one refusal", async () => {
    const dir = file("race");
    const both = [0, 1].map(() => start(["hsm", "--dir", dir], folder));
    // With what both said, if neither runs.
    const first = await Promise.any(
      both.map((one) => one.says("The HSM emulator is running").then(() => one)),
    );
    const other = both.find((one) => one !== first)!;
    expectSentence(await other.ended, `in use by process ${first.process.pid}`);
    first.process.kill("SIGINT");
    expect(await first.ended).toMatchObject({ code: 0 });
    const { X509Certificate, createPrivateKey } = await import("node:crypto");
    for (const name of ["server-ca", "client-ca", "server", "client-client"]) {
      const certificate = new X509Certificate(readFileSync(join(dir, "pki", `${name}.pem`)));
      expect(
        certificate.checkPrivateKey(createPrivateKey(readFileSync(join(dir, "pki", `${name}.key`)))),
      ).toBe(true);
    }
  });
});

describe("scripts of the repository", () => {
  it.each([
    ["test/kmip/conformance.ts", ["nowhere"], 1, "nowhere: there is no such file"],
    ["test/kmip/conformance.ts", ["--colour"], 2, "--colour"],
    ["test/kmip/wycheproof/run.ts", ["nowhere"], 1, "nowhere: there is no such file"],
    ["test/kmip/wycheproof/run.ts", ["."], 2, "there is no test vector"],
    ["test/conformance.ts", ["--from", "nowhere"], 1, "nowhere: there is no such file"],
    ["test/conformance.ts", ["--from", "file"], 1, "is no report of vitest"],
    ["bench/run.ts", ["--colour"], 2, "--colour"],
    ["test/fuzz/run.ts", ["--colour"], 2, "--colour"],
  ])("%s %j ends with one sentence", async (name, args, code, sentence) => {
    expectSentence(await runScript(name, args, folder), sentence, code);
  });
});
