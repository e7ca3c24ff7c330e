/** Files in and out of the command line, against the real server: nothing of the user's is lost, and nothing is claimed that is not so. */

import { spawnSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { leftovers } from "../documents/leftovers.ts";
import { missingProgram } from "../support/missing.ts";
import { changeRows, readRows } from "../system/index.ts";
import { type Command, edgeDir, freePorts, run, start } from "./command.ts";

const COFFER = fileURLToPath(new URL("../../cli/coffer.js", import.meta.url));
/** Names that a file here can have, and what a document of that name is saved as. */
const NAMES: Record<string, string> = {
  "plan.txt": "plan.txt",
  "plan.txt.partial": "plan.txt.partial",
  "-": "_",
  "-rf": "_rf",
  ".bashrc": "_bashrc",
  "CON.txt": "_CON.txt",
  "ends. ": "ends_",
  "zero\u200bwidth": "zero_width",
  [`${"n".repeat(251)}.txt`]: `${"n".repeat(251)}.txt`,
};
const content = (name: string) => `This is ${name}.\n`;

let folder: string;
let server: Command;
let ports: string[] | undefined;
/** Ids by the name that was sealed. */
const ids = new Map<string, string>();
const file = (name: string) => join(folder, name);
const coffer = (...args: string[]) => run([...args, "--user", "ada"], folder);
const unfinished = () => readdirSync(folder).filter((name) => name.startsWith(".coffer-"));
const rows = (table: string) => readRows(edgeDir(file(".coffer")), table);

/** On the same ports each time: documents belong to the app that sealed them, which is known by its origin. */
async function serve(): Promise<void> {
  ports ??= await freePorts();
  server = start(["start", ...ports], folder);
  await server.says("Coffer is running.");
}

// A dozen commands that each sign in and enrol take their time on a busy machine.
vi.setConfig({ testTimeout: 600_000 });

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "coffer-files-"));
  mkdirSync(file("in"));
  for (const name of Object.keys(NAMES)) writeFileSync(join(file("in"), name), content(name));
  await serve();
  const sealed = await coffer("seal", ...Object.keys(NAMES).map((name) => `in/${name}`));
  expect(sealed).toMatchObject({ code: 0 });
  const lines = sealed.stdout.trimEnd().split("\n");
  Object.keys(NAMES).forEach((name, i) => void ids.set(name, lines[i]!.split("\t")[0]!));
});
afterAll(async () => {
  server?.process.kill("SIGINT");
  await server?.ended;
  rmSync(folder, { recursive: true, force: true });
});

describe("coffer export", () => {
  it("writes every document, under the name that it prints, and counts what is there", async () => {
    mkdirSync(file("all"));
    const victim = file("victim");
    writeFileSync(victim, "theirs");
    const { code, stdout, stderr } = await coffer("export", "--all", "--to", "all");
    expect({ code, stderr }).toEqual({
      code: 0,
      stderr: `Exported ${ids.size} of ${ids.size} documents to all.\n`,
    });
    const printed = stdout
      .trimEnd()
      .split("\n")
      .map((line) => line.split("\t"));
    expect(printed.map(([, name]) => name).toSorted()).toEqual(readdirSync(file("all")).toSorted());
    for (const [name, saved] of Object.entries(NAMES)) {
      expect(printed).toContainEqual([ids.get(name), saved]);
      expect(readFileSync(join(file("all"), saved), "utf8")).toBe(content(name));
      expect(statSync(join(file("all"), saved)).mode & 0o777).toBe(0o600);
    }
  });

  it("says of each file that was in the way that it was not written, and ends with 1", async () => {
    mkdirSync(file("some"));
    writeFileSync(file("some/plan.txt"), "theirs");
    symlinkSync(file("victim"), file("some/_rf"));
    mkdirSync(file("some/_"));
    const { code, stderr } = await coffer("export", "--all", "--to", "some");
    expect(code).toBe(1);
    expect(stderr).toContain(`Exported ${ids.size - 3} of ${ids.size} documents`);
    for (const name of ["plan.txt", "_rf", "_"])
      expect(stderr).toMatch(new RegExp(`^${name}: .* is there already`, "m"));
    expect(readFileSync(file("some/plan.txt"), "utf8")).toBe("theirs");
    expect(readFileSync(file("victim"), "utf8")).toBe("theirs");
    expect(readdirSync(file("some/_"))).toEqual([]);
  });

  it("has an entry in the audit log for each document, which names it", () => {
    const ordered = exportedDocuments();
    for (const id of ids.values()) expect(ordered).toContain(id);
  });
});

describe("coffer open", () => {
  it("saves under the same names as export, by id and by name", async () => {
    mkdirSync(file("one"));
    for (const name of ["-", ".bashrc", "CON.txt"]) {
      const opened = await run(["open", ids.get(name)!, "--user", "ada", "--dir", "../.coffer"], file("one"));
      expect(opened).toMatchObject({ code: 0, stdout: "" });
      expect(opened.stderr).toContain(`as ${NAMES[name]}.`);
    }
    expect(readdirSync(file("one")).toSorted()).toEqual(["_", "_CON.txt", "_bashrc"]);
    expect(await coffer("open", "plan.txt", "--to", "one")).toMatchObject({ code: 0 });
    expect(readFileSync(file("one/plan.txt"), "utf8")).toBe(content("plan.txt"));
  });

  it.skipIf(process.platform === "win32" || missingProgram("bash"))(
    "says so when what reads its output has ended, or the disk is full",
    async () => {
      writeFileSync(file("long"), "0123456789".repeat(400_000));
      expect(await coffer("seal", "long")).toMatchObject({ code: 0 });
      const shell = (rest: string) =>
        spawnSync("bash", ["-c", `'${process.execPath}' '${COFFER}' ${rest}; exit \${PIPESTATUS[0]}`], {
          cwd: folder,
          encoding: "utf8",
        });
      const cut = shell("open long --user ada --to - | head -c 10");
      expect(cut).toMatchObject({ status: 1, stdout: "0123456789" });
      expect(cut.stderr.trim()).toBe("What reads the output has ended, and not all of it was written.");
      if (process.platform !== "linux") return;
      for (const command of ["open long --to /dev/full", "list --json"]) {
        const full = shell(`${command} --user ada > /dev/full`);
        expect(full.status, command).toBe(1);
        expect(full.stderr.trim(), command).toMatch(/^[^\n]*the disk is full[^\n]*$/);
      }
    },
  );

  it("a second Ctrl-C ends it at once, and leaves nothing either", async () => {
    writeFileSync(file("large"), Buffer.alloc(96 << 20, 7));
    const sealed = await coffer("seal", "large");
    ids.set("large", sealed.stdout.split("\t")[0]!);
    const opening = start(["open", "large", "--user", "ada", "--to", "again"], folder);
    await expect.poll(unfinished, { timeout: 60_000, interval: 5 }).toHaveLength(1);
    opening.process.kill("SIGINT");
    opening.process.kill("SIGTERM");
    const { code } = await opening.ended;
    // The first may have ended it before the second came.
    expect([1, 130]).toContain(code);
    expect(unfinished()).toEqual([]);
    expect(existsSync(file("again"))).toBe(false);
  });
});

describe("coffer seal", () => {
  it.each([
    ["shrinks", (path: string) => truncateSync(path, 1 << 20)],
    ["grows", (path: string) => appendFileSync(path, "x")],
    [
      "is changed in the same length, and its time set back",
      (path: string) => {
        const { atime, mtime } = statSync(path);
        writeFileSync(path, "changed", { flag: "r+" });
        utimesSync(path, atime, mtime);
      },
    ],
  ])("keeps nothing of a file that %s meanwhile, and says so", async (_, change) => {
    const path = file("moving");
    rmSync(path, { force: true });
    writeFileSync(path, "");
    truncateSync(path, 160 << 20);
    const before = rows("documents").length;
    const sealing = start(["seal", "moving", "--user", "ada"], folder);
    await expect.poll(() => rows("parts").length, { timeout: 60_000, interval: 20 }).toBeGreaterThan(0);
    change(path);
    const { code, stdout, stderr } = await sealing.ended;
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toContain("The file was changed while it was being sealed");
    expect(stderr).toContain("[source-changed]");
    expect(leftovers(edgeDir(file(".coffer")))).toEqual({ documents: [], uploads: [], objects: [] });
    expect(rows("documents")).toHaveLength(before);
  });
});

describe("one folder, one server", () => {
  it("a second start is refused by the number of the first, whose clients go on", async () => {
    const second = await run(["start", ...(await freePorts())], folder);
    expect(second).toMatchObject({ code: 1, stdout: "" });
    expect(second.stderr).toContain(`in use by process ${server.process.pid}: stop that one`);
    expect(second.stderr.trim().split("\n")).toHaveLength(1);
    expect(await coffer("list")).toMatchObject({ code: 0 });
  });

  it("a server that was killed leaves a folder that starts at once, and every document opens", async () => {
    server.process.kill("SIGKILL");
    await server.ended;
    const gone = await coffer("list");
    expect(gone).toMatchObject({ code: 1, stdout: "" });
    expect(gone.stderr).toMatch(/^Nothing answers at http\S+: the server of \.coffer has ended\. [^\n]*\n$/);
    await serve();
    expect((await coffer("open", "plan.txt", "--to", "-")).stdout).toBe(content("plan.txt"));
    expect((await coffer("open", "large", "--to", "large.again")).code).toBe(0);
    expect(readFileSync(file("large.again")).equals(readFileSync(file("large")))).toBe(true);
  });
});

describe("more documents than one order or one page takes", () => {
  const MORE = 1010;

  it("an export of them goes through, each with its entry in the audit log, and an interrupted one is honest", async () => {
    server.process.kill("SIGINT");
    expect((await server.ended).code).toBe(0);
    // Rows alone, without content: what is asked here is the order, and what is said of those that cannot be opened.
    const [{ account, client, created }] = rows("documents") as [Record<string, string | number>];
    // Not all that the tests before have sealed are in `ids`, and some of those tests are skipped where there is no shell.
    const real = rows("documents").filter(({ state }) => state === "complete").length;
    const made = Array.from({ length: MORE }, () => randomUUID());
    const values = made.map(
      (id) => `('${id}', '${account}', '${client}', 'complete', NULL, 1, 1, 0, ${created}, ${created})`,
    );
    const columns = "id, account, client, state, upload, size, metadata, writing, created, touched";
    changeRows(
      edgeDir(file(".coffer")),
      "documents",
      `INSERT INTO documents (${columns}) VALUES ${values.join()}`,
    );
    await serve();
    const interrupted = start(["export", "--all", "--to", "part", "--user", "ada"], folder);
    await expect(interrupted.says("\t")).resolves.toBeUndefined();
    interrupted.process.kill("SIGINT");
    const part = await interrupted.ended;
    expect(part.code).toBe(1);
    const written = part.stdout
      .trimEnd()
      .split("\n")
      .map((line) => line.split("\t"));
    expect(part.stderr).toContain(`Exported ${written.length} of ${MORE + real} documents to part.`);
    expect(readdirSync(file("part")).toSorted()).toEqual(written.map(([, name]) => name).toSorted());

    const all = await coffer("export", "--all", "--to", "full");
    expect(all.stderr).toContain(`Exported ${real} of ${MORE + real} documents to full.`);
    expect(all.code).toBe(1);
    expect(readdirSync(file("full"))).toHaveLength(real);
    const ordered = exportedDocuments();
    expect(made.filter((id) => !ordered.has(id))).toEqual([]);
    for (const id of ids.values()) expect(ordered).toContain(id);
  });
});

/** Ids of documents that have an entry of the order to export them, in the chain or on their way to it. */
function exportedDocuments(): Set<string> {
  // In this order: an entry that goes over meanwhile is in both, and never in neither.
  const waiting = rows("audit_outbox").map(({ row }) => row);
  const texts = [...waiting, ...rows("links").map(({ entry }) => entry)];
  const entries = texts.map(
    (text) => JSON.parse(String(text)) as { action: string; resource: string; outcome: string },
  );
  return new Set(
    entries
      .filter(({ action, outcome }) => action === "kms:export" && outcome === "allow")
      .map(({ resource }) => resource.split("/").at(-1)!),
  );
}
