/** The command line as scripts use it: standard input and output, JSON, exit codes, and what `coffer doctor` says of a deployment. */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect, createServer } from "node:tls";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { listen } from "../support/ports.ts";
import { type Command, freePorts, run, start } from "./command.ts";

let folder: string;
let server: Command;
let ports: string[];
const coffer = (...args: string[]) => run(args, folder);
const given = (input: string, ...args: string[]) => run(args, folder, input);
const port = (option: string) => ports[ports.indexOf(option) + 1]!;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "coffer-scripts-"));
  ports = await freePorts();
  server = start(["start", ...ports], folder);
  await server.says("Coffer is running.");
});
afterAll(async () => {
  server?.process.kill("SIGINT");
  await server?.ended;
  rmSync(folder, { recursive: true, force: true });
});

describe("standard input and output", () => {
  it("a document goes in by seal - and comes out by open - --to -, byte for byte, by what the one says to the other", async () => {
    const text = "a line of a table\n".repeat(30_000);
    const sealed = await given(text, "seal", "-", "--name", "cases.sql", "--user", "pia");
    expect(sealed.code, sealed.stderr).toBe(0);
    expect(sealed.stdout).toMatch(/^[0-9a-f-]{36}\tcases\.sql\n$/);
    const opened = await given(sealed.stdout, "open", "-", "--to", "-", "--user", "pia");
    expect(opened.code, opened.stderr).toBe(0);
    expect(opened.stdout).toBe(text);
  });

  it("--json has a value in a line for each, and the list the same", async () => {
    const sealed = await given("two", "seal", "-", "--name", "two.txt", "--json", "--user", "jo");
    expect(sealed.code, sealed.stderr).toBe(0);
    const { id, account, ...rest } = JSON.parse(sealed.stdout) as Record<string, unknown>;
    expect(rest).toEqual({ name: "two.txt", size: 3 });
    const opened = await coffer("open", String(id), "--json", "--user", "jo");
    expect(JSON.parse(opened.stdout)).toEqual({ id, account, name: "two.txt", size: 3, path: "two.txt" });
    expect(readFileSync(join(folder, "two.txt"), "utf8")).toBe("two");
    const listed = JSON.parse((await coffer("list", "--json", "--user", "jo")).stdout) as object[];
    expect(listed).toMatchObject([{ id, name: "two.txt", size: 3 }]);
    const members = JSON.parse((await coffer("member", "list", "--json", "--user", "jo")).stdout) as object[];
    expect(members).toMatchObject([{ role: "owner" }]);
    const exported = await coffer("export", "--all", "--to", "out", "--json", "--user", "jo");
    expect(JSON.parse(exported.stdout)).toEqual({ id, account, file: "two.txt" });
  });

  it("what is deleted for some days is listed by restore, and brought back by its name; without days it is gone", async () => {
    const as = ["--user", "max"];
    for (const name of ["kept.txt", "gone.txt"])
      expect((await given(name, "seal", "-", "--name", name, ...as)).code).toBe(0);
    const ended = await coffer("delete", "kept.txt", "--days", "7", "--json", ...as);
    expect(ended.code, ended.stderr).toBe(0);
    expect((await coffer("delete", "gone.txt", ...as)).code).toBe(0);
    expect(JSON.parse((await coffer("list", "--json", ...as)).stdout)).toEqual([]);
    const { id } = JSON.parse(ended.stdout) as { id: string };
    expect(JSON.parse((await coffer("restore", "--json", ...as)).stdout)).toMatchObject([
      { id, name: "kept.txt" },
    ]);
    const none = await coffer("restore", "gone.txt", ...as);
    expect([none.code, none.stderr]).toEqual([1, expect.stringContaining("There is no document 'gone.txt'")]);
    const restored = await coffer("restore", "kept.txt", "--json", ...as);
    expect(JSON.parse(restored.stdout)).toMatchObject({ id });
    expect((await coffer("open", id, "--to", "-", ...as)).stdout).toBe("kept.txt");
    for (const days of ["0", "91", "x", "1.5"])
      expect((await coffer("delete", id, "--days", days, ...as)).code, days).toBe(2);
  });

  it("another content is the next version: versions lists them, open --version writes one, restore --version makes it the newest", async () => {
    const as = ["--user", "vera"];
    expect((await given("first", "seal", "-", "--name", "plan.txt", ...as)).code).toBe(0);
    writeFileSync(join(folder, "second.txt"), "second");
    const replaced = await coffer("replace", "plan.txt", "second.txt", "--json", ...as);
    expect(replaced.code, replaced.stderr).toBe(0);
    const { old, id } = JSON.parse(replaced.stdout) as { old: string; id: string };
    const versions = async () => JSON.parse((await coffer("versions", "plan.txt", "--json", ...as)).stdout);
    expect(await versions()).toMatchObject([
      { version: 2, id, name: "plan.txt", size: 6 },
      { version: 1, id: old, name: "plan.txt", size: 5 },
    ]);
    expect(JSON.parse((await coffer("list", "--json", ...as)).stdout)).toMatchObject([{ id, version: 2 }]);
    const content = async (...which: string[]) => (await coffer("open", ...which, "--to", "-", ...as)).stdout;
    expect(await content("plan.txt")).toBe("second");
    expect(await content("plan.txt", "--version", "1")).toBe("first");
    expect(await content(old)).toBe("first");
    const none = await coffer("open", "plan.txt", "--version", "7", "--to", "-", ...as);
    expect([none.code, none.stderr]).toEqual([1, expect.stringContaining("There is no version 7 of it.")]);
    // By the id of any of them.
    expect(await content(old, "--version", "2")).toBe("second");
    const same = await coffer("restore", old, "--version", "2", ...as);
    expect([same.code, same.stderr]).toEqual([1, expect.stringContaining("Version 2 is the newest already")]);
    // Who saves over what is not the newest any more is told.
    const late = await coffer("replace", old, "second.txt", "--json", ...as);
    expect([late.code, late.stderr]).toEqual([1, expect.stringContaining('"document-replaced"')]);
    const restored = await coffer("restore", "plan.txt", "--version", "1", "--json", ...as);
    expect(restored.code, restored.stderr).toBe(0);
    expect(await content("plan.txt")).toBe("first");
    expect(await versions()).toHaveLength(3);
    expect((await coffer("delete", old, ...as)).code).toBe(0);
    expect((await versions()).map(({ version }: { version: number }) => version)).toEqual([3, 2]);
    expect((await coffer("delete", "plan.txt", ...as)).code).toBe(0);
    expect(JSON.parse((await coffer("list", "--json", ...as)).stdout)).toEqual([]);
  }, 300_000);

  it.each([
    [["replace", "x"], "coffer replace takes"],
    [["replace", "x", "y", "--keep", "101"], "--keep takes a whole number from 0 to 100"],
    [["versions"], "coffer versions takes a document"],
    [["restore", "--version", "1"], "--version goes with a document"],
    [["seal", "-"], "say what it is called, by --name"],
    [["seal", "-", "--name", "x", "--seed", "-"], "Standard input is the file or the seed"],
    [["seal", "-", "other"], "- is sealed by itself"],
    [["seal", "a", "b", "--name", "x"], "--name is of one file"],
    [["open", "-"], "standard input names no document"],
    [["open", "x", "--json", "--to", "-"], "do not go to standard output together"],
    [["open", "-", "--seed", "-"], "the document's id or the seed"],
    [["completion", "tcsh"], "takes one of bash, zsh, fish"],
    [["doctor", "--app", "https://app.example"], "--app and --vault go together"],
    [["doctor", "--app", "app", "--vault", "vault"], "takes an origin"],
  ])("%j is wrong on the command line: 2", async (args, sentence) => {
    const { code, stdout, stderr } = await coffer(...args);
    expect(stderr).toContain(sentence);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  });
});

it("completion is of the commands that there are", async () => {
  const { code, stdout } = await coffer("completion", "bash");
  expect(code).toBe(0);
  expect(stdout).toMatch(/^ {4}account\) verbs="list create rotate delete cancel" options=".*--json.*" ;;$/m);
  expect(stdout).toContain("doctor");
});

describe("coffer doctor", () => {
  type Findings = { check: string; right: boolean | null; says: string; todo?: string }[];
  const examine = async (...args: string[]) => {
    const { code, stdout, stderr } = await coffer("doctor", "--json", ...args);
    expect(stderr).toBe("");
    return { code, found: JSON.parse(stdout) as Findings };
  };

  it("finds nothing wrong with what runs here, and says each thing in a line", async () => {
    const { code, found } = await examine("--user", "dora");
    expect(found.filter(({ right }) => right !== true)).toEqual([]);
    expect(new Set(found.map(({ check }) => check))).toEqual(
      new Set(["names", "clock", "csp", "cookies", "mutual-tls", "hsm-policy"]),
    );
    expect(code).toBe(0);
    const plain = await coffer("doctor", "--user", "dora");
    expect(plain.stdout.trim().split("\n")).toHaveLength(found.length);
    expect(plain.stdout).toMatch(/^right {2}names /m);
    expect((await coffer("list", "--json", "--user", "dora")).stdout, "it leaves nothing").toBe("[]\n");
  });

  it("looks at the HSM with the officer's certificate: who is let in, and what is there", async () => {
    const pki = join(folder, ".coffer/pki");
    const own = ["--port", port("--ttlv-port"), "--ca", join(pki, "server-ca.pem")];
    const officer = [
      "--cert",
      join(pki, "client-coffer-officer.pem"),
      "--key",
      join(pki, "client-coffer-officer.key"),
    ];
    const good = await examine(...own, ...officer, "--tenant", "development");
    expect(good.found.filter(({ right }) => right !== true)).toEqual([]);
    expect(good.code).toBe(0);
    const foreign = await examine(...own, ...officer, "--tenant", "nobody");
    expect(foreign.code).toBe(1);
    const [missing] = foreign.found.filter(({ right }) => right === false);
    expect(missing).toMatchObject({ check: "hsm-policy", todo: expect.stringContaining("coffer init") });
    expect(missing?.says).toContain("nobody");
  });

  it("says of an HSM that lets anybody in what is wrong and what to do", async () => {
    const pki = (file: string) => readFileSync(join(folder, ".coffer/pki", file));
    const identity = { cert: pki("client-coffer-officer.pem"), key: pki("client-coffer-officer.key") };
    const own = { ca: pki("server-ca.pem"), host: "127.0.0.1", port: Number(port("--ttlv-port")) };
    // As an operator may have put it there: whoever connects acts by the officer's certificate.
    const open = createServer({ cert: pki("server.pem"), key: pki("server.key") }, (socket) => {
      const hsm = connect({ ...own, ...identity });
      socket.on("error", () => hsm.destroy()).on("close", () => hsm.destroy());
      hsm.on("error", () => socket.destroy()).on("close", () => socket.destroy());
      socket.pipe(hsm).pipe(socket);
    });
    const at = await listen(open);
    try {
      const file = (name: string) => join(folder, ".coffer/pki", name);
      const { code, found } = await examine(
        ...["--port", String(at), "--ca", file("server-ca.pem"), "--tenant", "development"],
        ...["--cert", file("client-coffer-officer.pem"), "--key", file("client-coffer-officer.key")],
      );
      expect(code).toBe(1);
      expect(found.filter(({ right }) => right === false)).toEqual([
        {
          check: "mutual-tls",
          right: false,
          says: `The HSM at 127.0.0.1:${at} takes connections without a certificate`,
          todo: "Have its listener demand client certificates.",
        },
      ]);
    } finally {
      open.close();
    }
  });

  it("says of names that do not fit what is wrong and what to do, and looks no further", async () => {
    const app = `http://localhost:${port("--port")}`;
    const { code, found } = await examine("--app", app, "--vault", app);
    expect(code).toBe(1);
    const wrong = found.filter(({ right }) => right === false);
    expect(wrong.map(({ says }) => says)).toContain("App and vault are one origin");
    expect(wrong.every(({ todo }) => (todo ?? "").length > 20)).toBe(true);
    expect(found.filter(({ right }) => right === null).map(({ check }) => check)).toEqual([
      "mutual-tls",
      "hsm-policy",
      "cookies",
    ]);
  });
});
