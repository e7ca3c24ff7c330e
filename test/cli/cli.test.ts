/** The command line on the real parts: HSM emulator, edge in workerd, the microservice in the command's own process. */

import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { UNITS } from "#edge/units.ts";
import { awsOpen, releasedKeyring } from "../documents/aws.ts";
import { digestOf, writeRandomFile } from "../documents/index.ts";
import { leftovers } from "../documents/leftovers.ts";
import { readRows } from "../system/index.ts";
import { type Command, edgeDir, freePorts, type Outcome, run, start } from "./command.ts";

const CONTRACT = "The parties agree.\n".repeat(20_000);

/** Working folder of all commands; `.coffer` in it is the deployment. */
let folder: string;
let server: Command;
/** What `coffer seal` said of the two files that most tests open. */
let sealed: Outcome;
const coffer = (...args: string[]) => run(args, folder);
const file = (name: string) => join(folder, name);

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "coffer-cli-"));
  writeFileSync(file("contract.txt"), CONTRACT);
  writeFileSync(file("empty.bin"), "");
  server = start(["start", "--admin", "grace", ...(await freePorts())], folder);
  await server.says("Coffer is running.");
  sealed = await coffer("seal", "--user", "ada", "contract.txt", "empty.bin");
});
afterAll(async () => {
  server?.process.kill("SIGINT");
  await server?.ended;
  rmSync(folder, { recursive: true, force: true });
});

describe("coffer start", () => {
  it("--once FILE seals and opens it through all real parts, prints the steps with their times, and ends", async () => {
    const other = file("once");
    mkdirSync(other);
    const { code, stdout, stderr } = await run(
      ["start", "--once", file("contract.txt"), ...(await freePorts())],
      other,
    );
    expect(stderr).toBe("");
    expect(code).toBe(0);
    const steps = stdout.trim().split("\n");
    for (const step of steps) expect(step).toMatch(/^ *\d+\.\d s {2}\S/);
    expect(steps.at(-2)).toContain("sealed contract.txt");
    expect(steps.at(-1)).toContain("opened and compared, byte for byte");
    expect(readRows(edgeDir(join(other, ".coffer")), "documents"), "the round trip leaves nothing").toEqual(
      [],
    );
  });

  it("W13 --split --once FILE makes the same round trip over processes of one domain each", async () => {
    const other = file("split");
    mkdirSync(other);
    const { code, stdout, stderr } = await run(
      ["start", "--split", "--once", file("contract.txt"), ...(await freePorts())],
      other,
    );
    expect(stderr).toBe("");
    expect(code).toBe(0);
    expect(stdout).toContain(`edge as ${UNITS.length} workerd processes: ${UNITS.join(", ")}`);
    expect(stdout.trim().split("\n").at(-1)).toContain("opened and compared, byte for byte");
    const folders = readdirSync(join(other, ".coffer", "units"));
    expect(folders).toEqual(expect.arrayContaining(["app", "datastore", "iam", "ra", "kms", "audit"]));
  });

  it("--vault-port with the page's own port says so, and starts nothing", async () => {
    const { code, stdout, stderr } = await coffer("start", "--port", "9", "--vault-port", "9");
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toBe("--vault-port takes another port than --port: the vault is an origin of its own.\n");
  });

  it("--once with a file that is not there says so, and starts nothing", async () => {
    const { code, stdout, stderr } = await coffer("start", "--once", "nowhere.txt");
    expect({ code, stdout, stderr }).toEqual({
      code: 1,
      stdout: "",
      stderr: "nowhere.txt: there is no such file.\n",
    });
  });
});

describe("coffer seal, list, open", () => {
  it("seals files, lists them newest first, and opens them byte for byte, by name and by id", async () => {
    expect(sealed).toMatchObject({ code: 0 });
    const [[contract, name], [, second]] = sealed.stdout
      .trim()
      .split("\n")
      .map((line) => line.split("\t")) as [[string, string], [string, string]];
    expect([name, second]).toEqual(["contract.txt", "empty.bin"]);

    const listed = await coffer("list", "--user", "ada", "--json");
    const rows = JSON.parse(listed.stdout) as { id: string; name: string; size: number; type: string }[];
    expect(rows.map(({ name, size, type }) => ({ name, size, type })).toSorted(byName)).toEqual([
      { name: "contract.txt", size: CONTRACT.length, type: "text/plain" },
      { name: "empty.bin", size: 0, type: "application/octet-stream" },
    ]);
    expect((await coffer("list", "--user", "ada")).stdout).toContain(contract);

    const byId = await coffer("open", contract, "--user", "ada", "--to", "-");
    expect(byId.code).toBe(0);
    expect(byId.stdout).toBe(CONTRACT);
    expect(await coffer("open", "empty.bin", "--user", "ada", "--to", "empty.again")).toMatchObject({
      code: 0,
    });
    expect(readFileSync(file("empty.again"))).toHaveLength(0);
  });

  it("a file that is there is replaced with --force alone", async () => {
    writeFileSync(file("mine.txt"), "mine");
    const open = ["open", "contract.txt", "--user", "ada", "--to", "mine.txt"];
    const refused = await coffer(...open);
    expect(refused).toMatchObject({ code: 1 });
    expect(refused.stderr).toContain("is there already");
    expect(readFileSync(file("mine.txt"), "utf8")).toBe("mine");
    expect(await coffer(...open, "--force")).toMatchObject({ code: 0 });
    expect(readFileSync(file("mine.txt"), "utf8")).toBe(CONTRACT);
    expect(readdirSync(folder).filter(isUnfinished)).toEqual([]);
  });

  it("documents of another user are neither listed nor opened", async () => {
    const listed = await coffer("list", "--user", "ada", "--json");
    const [{ id }] = JSON.parse(listed.stdout) as [{ id: string }];
    expect(JSON.parse((await coffer("list", "--user", "eve", "--json")).stdout)).toEqual([]);
    const opened = await coffer("open", id, "--user", "eve", "--to", "stolen");
    expect(opened).toMatchObject({ code: 1 });
    expect(opened.stderr).toContain("There is no document");
    expect(readdirSync(folder)).not.toContain("stolen");
  });
});

describe("coffer admin", () => {
  it("gives and takes roles and groups, for who is an admin alone", async () => {
    const admin = (...args: string[]) => coffer("admin", ...args, "--user", "grace");
    expect(await admin("role", "add", "auditor", "ada")).toMatchObject({ code: 0, stderr: "" });
    expect((await admin("role", "list")).stdout).toMatch(/^[a-z2-7]{32} {2}\S+ {2}auditor\n$/);
    expect(await admin("group", "add", "staff", "ada")).toMatchObject({ code: 0 });
    expect((await admin("group", "list")).stdout).toBe("     1  staff\n");
    expect((await admin("group", "list", "staff")).stdout).toMatch(/^[a-z2-7]{32} {2}/);
    expect(await admin("role", "remove", "auditor", "ada")).toMatchObject({ code: 0 });
    expect((await admin("role", "list")).stdout).toBe("");
    const refused = await coffer("admin", "role", "add", "admin", "ada", "--user", "ada");
    expect(refused).toMatchObject({ code: 1, stdout: "" });
    for (const wrong of [["role", "add", "owner", "ada"], ["group", "add", "Staff", "ada"], ["role"], []])
      expect(await admin(...wrong), wrong.join(" ")).toMatchObject({ code: 2, stdout: "" });
  });
});

describe("coffer admin instance and quota", () => {
  const admin = (...args: string[]) => coffer("admin", ...args, "--user", "grace");

  it("W12 lists and revokes microservices of others, for who is an admin alone", async () => {
    expect(await coffer("list", "--user", "lea")).toMatchObject({ code: 0 });
    const own = JSON.parse((await coffer("instance", "list", "--json", "--user", "lea")).stdout);
    const { stdout } = await admin("instance", "list", "lea");
    expect(
      stdout
        .split("\n")
        .filter(Boolean)
        .map((line) => line.split("  ")[0]),
    ).toEqual(own.map(({ id }: { id: string }) => id));
    const [{ id }] = own as [{ id: string }];
    for (const verb of [
      ["list", "lea"],
      ["revoke", "lea", id],
    ])
      expect(await coffer("admin", "instance", ...verb, "--user", "lea")).toMatchObject({
        code: 1,
        stdout: "",
      });
    expect(await admin("instance", "revoke", "lea", id)).toEqual({ code: 0, stdout: "", stderr: "" });
    expect((await admin("instance", "list", "lea")).stdout).toContain(`${id}  revoked`);
    expect(await admin("instance", "revoke", "lea", "unknown")).toMatchObject({ code: 1 });
    expect(await admin("instance", "revoke", "lea")).toMatchObject({ code: 2 });
  });

  it("shows what an account uses and sets what it may use, for who is an admin alone", async () => {
    const listed = JSON.parse((await coffer("account", "list", "--json", "--user", "lea")).stdout);
    const [{ id }] = listed as [{ id: string }];
    expect((await admin("quota", "show", id)).stdout).toMatch(/^documents {2}0 of \d+\nbytes {6}0 of \d+\n$/);
    expect(await admin("quota", "set", id, "--documents", "7")).toEqual({ code: 0, stdout: "", stderr: "" });
    expect((await admin("quota", "show", id)).stdout).toMatch(
      /^documents {2}0 of 7 \(the deployment allows \d+\)\n.*\nset by [a-z2-7]{32} /,
    );
    expect(await admin("quota", "set", id)).toMatchObject({ code: 0 });
    expect((await admin("quota", "show", id)).stdout).not.toContain("of 7 ");
    const refused = await coffer("admin", "quota", "set", id, "--bytes", "1", "--user", "lea");
    expect(refused).toMatchObject({ code: 1, stdout: "" });
    for (const wrong of [
      ["set", id, "--bytes", "-1"],
      ["set", id, "--documents", "many"],
      ["show"],
      ["show", id, "--bytes", "1"],
    ])
      expect(await admin("quota", ...wrong), wrong.join(" ")).toMatchObject({ code: 2, stdout: "" });
  });
});

describe("coffer member", () => {
  it("W11 adds a colleague, who then lists what was sealed before, and removes them", async () => {
    const member = (...args: string[]) => coffer("member", ...args, "--user", "ada");
    await coffer("list", "--user", "grace");
    expect(await member("add", "grace", "--role", "reader")).toMatchObject({ code: 0, stderr: "" });
    expect((await member("list")).stdout).toMatch(
      /^[a-z2-7]{32} {2}owner .*\n[a-z2-7]{32} {2}reader {2}grace\n$/,
    );
    const open = await coffer("open", "contract.txt", "--to", "shared.txt", "--user", "grace");
    expect(open, open.stderr).toMatchObject({ code: 0 });
    expect(readFileSync(file("shared.txt"), "utf8")).toBe(CONTRACT);
    expect(await member("remove", "grace")).toMatchObject({ code: 0 });
    expect((await coffer("open", "contract.txt", "--to", "again.txt", "--user", "grace")).code).toBe(1);
    const wrongs = [[], ["add"], ["add", "grace", "--role", "admin"], ["list", "grace"], ["leave"]];
    for (const wrong of wrongs)
      expect(await member(...wrong), wrong.join(" ")).toMatchObject({ code: 2, stdout: "" });
  });

  it("W11 leaves an account of another, whose documents are then closed; its last owner stays", async () => {
    const [{ id }] = JSON.parse((await coffer("account", "list", "--json", "--user", "ada")).stdout);
    const leave = (user: string) => coffer("member", "leave", "--account", id, "--user", user);
    expect(await coffer("member", "add", "grace", "--user", "ada")).toMatchObject({ code: 0 });
    expect(await coffer("open", "contract.txt", "--to", "once.txt", "--user", "grace")).toMatchObject({
      code: 0,
    });
    expect(await leave("grace")).toMatchObject({ code: 0, stderr: "" });
    expect((await coffer("open", "contract.txt", "--to", "twice.txt", "--user", "grace")).code).toBe(1);
    expect((await leave("ada")).stderr).toContain("[conflict]");
  });
});

describe("coffer policy put", () => {
  it("M12 puts what it can read on the tenant, for who is an admin alone, and shows it", async () => {
    const text = '{"statements":[{"effect":"allow","principals":"*","actions":"*","resources":"*"}]}';
    writeFileSync(file("policy.json"), text);
    writeFileSync(file("key.json"), '{"operations":["decrypt"]}');
    const policy = (...args: string[]) => coffer("policy", ...args, "--user", "grace");
    expect((await policy("show")).stdout).toBe("");
    expect(await policy("put", "policy.json")).toMatchObject({ code: 0, stdout: "", stderr: "" });
    expect((await policy("show")).stdout).toBe(`${text}\n`);
    expect(await policy("put", "key.json")).toMatchObject({ code: 1 });
    expect(await policy("put", "policy.json", "--none")).toMatchObject({ code: 2 });
    expect(await coffer("policy", "put", "--none", "--user", "ada")).toMatchObject({ code: 1 });
    expect(await policy("put", "--none")).toMatchObject({ code: 0 });
    expect((await policy("show")).stdout).toBe("");
  });
});

describe("coffer export", () => {
  it("writes all documents as plain files, never over one that is there", async () => {
    const exported = await coffer("export", "--all", "--to", "plain", "--user", "ada");
    expect(exported).toMatchObject({ code: 0 });
    expect(readdirSync(file("plain")).sort()).toEqual(["contract.txt", "empty.bin"]);
    expect(readFileSync(file("plain/contract.txt"), "utf8")).toBe(CONTRACT);
    const again = await coffer("export", "--all", "--to", "plain", "--user", "ada");
    expect(again).toMatchObject({ code: 1 });
    expect(again.stderr).toContain("Exported 0 of 2 documents");
  });

  it("--release-key: AWS's own client opens every message with the key that was written down", async () => {
    const exported = await coffer("export", "--all", "--to", "exit", "--release-key", "--user", "ada");
    expect(exported).toMatchObject({ code: 0 });
    expect(readdirSync(file("exit")).sort()).toEqual([
      "contract.txt.esdk",
      "empty.bin.esdk",
      "export-key.json",
    ]);
    const keyring = releasedKeyring(JSON.parse(readFileSync(file("exit/export-key.json"), "utf8")));
    await expect(awsOpen(keyring, readFileSync(file("exit/contract.txt.esdk")))).resolves.toMatchObject({
      plaintext: new TextEncoder().encode(CONTRACT),
      context: { name: "contract.txt" },
    });
    await expect(awsOpen(keyring, readFileSync(file("exit/empty.bin.esdk")))).resolves.toMatchObject({
      plaintext: new Uint8Array(),
    });
  });

  it("orders each document's export at the KMS, which writes it into the audit log", async () => {
    const rows = readRows(edgeDir(join(folder, ".coffer")), "links").map((row) => JSON.stringify(row));
    expect(rows.filter((row) => row.includes("export")).length).toBeGreaterThanOrEqual(2);
  });
});

describe("errors", () => {
  it.each([
    [["seal", "nowhere.pdf"], 1, "nowhere.pdf: there is no such file."],
    [["seal", "."], 1, "is not a file"],
    [["seal"], 2, "name a file"],
    [["open"], 2, "name one document"],
    [["open", "a", "b"], 2, "name one document"],
    [["open", "nowhere.pdf", "--user", "ada"], 1, "There is no document 'nowhere.pdf'"],
    [["list", "--colour"], 2, "--colour"],
    [["export", "--all"], 2, "say --all and --to FOLDER"],
    [["start", "--port", "70000"], 2, "--port takes a port"],
    [["hsm", "--lease-time", "1h"], 2, "--lease-time takes seconds"],
    [["hsm", "--lease-time", "4294967296"], 2, "--lease-time takes seconds"],
    [["unseal", "x"], 2, "there is no command 'unseal'"],
    [["list", "--dir", "elsewhere"], 1, "Nothing runs from"],
  ])("coffer %j ends with %i and one sentence", async (args, code, sentence) => {
    const outcome = await coffer(...args);
    expect(outcome.stderr).toContain(sentence);
    expect(outcome.stderr).not.toMatch(/^ +at /m);
    expect(outcome).toMatchObject({ code, stdout: "" });
  });

  it("help needs nothing that runs", async () => {
    for (const command of ["start", "seal", "open", "list", "export", "audit", "policy"]) {
      const { code, stdout } = await run([command, "--help"], tmpdir());
      expect(code).toBe(0);
      expect(stdout).toContain(`coffer ${command}`);
      expect(stdout).toMatch(/Examples?: /);
    }
  });
});

describe("Ctrl-C", () => {
  it("in the middle of sealing leaves no document and nothing in the datastore", async () => {
    const dir = edgeDir(join(folder, ".coffer"));
    await writeRandomFile(file("large.bin"), 96 << 20);
    const sealing = start(["seal", "large.bin", "--user", "ada"], folder);
    await expect
      .poll(() => readRows(dir, "parts").length, { timeout: 60_000, interval: 20 })
      .toBeGreaterThan(0);
    sealing.process.kill("SIGINT");
    const { code, stdout, stderr } = await sealing.ended;
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toContain("Cancelled; nothing was left behind.");
    expect(leftovers(dir)).toEqual({ documents: [], uploads: [], objects: [] });
    expect((await coffer("list", "--user", "ada")).stdout).not.toContain("large.bin");
  });

  it("in the middle of opening leaves no file", async () => {
    expect(await coffer("seal", "large.bin", "--user", "ada")).toMatchObject({ code: 0 });
    const opening = start(["open", "large.bin", "--user", "ada", "--to", "again.bin"], folder);
    await expect
      .poll(() => readdirSync(folder).filter(isUnfinished), { timeout: 60_000, interval: 5 })
      .toHaveLength(1);
    opening.process.kill("SIGINT");
    const { code, stderr } = await opening.ended;
    expect(code).toBe(1);
    expect(stderr).toContain("Cancelled");
    expect(readdirSync(folder).filter((name) => isUnfinished(name) || name.startsWith("again.bin"))).toEqual(
      [],
    );
    expect(await coffer("open", "large.bin", "--user", "ada", "--to", "whole.bin")).toMatchObject({
      code: 0,
    });
    expect(await digestOf(file("whole.bin"))).toBe(await digestOf(file("large.bin")));
  });
});

/** The folder of the deployment has no name after its hyphen. */
function isUnfinished(name: string): boolean {
  return name.startsWith(".coffer-");
}

function byName(a: { name: string }, b: { name: string }): number {
  return a.name < b.name ? -1 : 1;
}
