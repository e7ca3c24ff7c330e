import { spawnSync } from "node:child_process";
import {
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { missingProgram } from "#test/support/missing.ts";
import { WholeFile, writeWhole } from "./whole-file.ts";

let folder: string;
const at = (name: string) => join(folder, name);
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "coffer-whole-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

it("shows nothing under the name before it is finished, and is its owner's alone from the first byte on", async () => {
  const file = await WholeFile.create(at("x"));
  await file.write("secret");
  const [temporary, ...more] = readdirSync(folder);
  expect(more).toEqual([]);
  expect(temporary).not.toContain("x.");
  expect(statSync(at(temporary!)).mode & 0o777).toBe(0o600);
  await file.finish();
  expect(readdirSync(folder)).toEqual(["x"]);
  expect(statSync(at("x")).mode & 0o777).toBe(0o600);
  expect(readFileSync(at("x"), "utf8")).toBe("secret");
});

it("leaves nothing when it is discarded, before and after a failure to finish", async () => {
  const file = await WholeFile.create(at("x"));
  await file.discard();
  expect(readdirSync(folder)).toEqual([]);
  const late = await WholeFile.create(at("x"));
  writeFileSync(at("x"), "another's");
  await expect(late.finish()).rejects.toMatchObject({ code: "EEXIST" });
  await late.discard();
  expect(readdirSync(folder)).toEqual(["x"]);
  expect(readFileSync(at("x"), "utf8")).toBe("another's");
});

it.each([
  ["a file", (path: string) => writeFileSync(path, "theirs")],
  ["a link to a file", (path: string) => symlinkSync(at("victim"), path)],
  ["a link to nothing", (path: string) => symlinkSync(at("nowhere"), path)],
  ["a folder", (path: string) => mkdirSync(path)],
])("takes the place of nothing unless asked: %s", async (_, make) => {
  writeFileSync(at("victim"), "theirs");
  make(at("x"));
  const before = readdirSync(folder).toSorted();
  await expect(writeWhole(at("x"), "mine")).rejects.toMatchObject({ code: "EEXIST" });
  expect(readdirSync(folder).toSorted()).toEqual(before);
  expect(readFileSync(at("victim"), "utf8")).toBe("theirs");
});

it("replaces a link, not what it leads to, and gives a file that anyone could write its own mode", async () => {
  writeFileSync(at("victim"), "theirs");
  symlinkSync("victim", at("link"));
  await writeWhole(at("link"), "mine", { replace: true });
  expect(lstatSync(at("link")).isSymbolicLink()).toBe(false);
  expect(readFileSync(at("victim"), "utf8")).toBe("theirs");
  writeFileSync(at("open"), "", { mode: 0o666 });
  linkSync(at("open"), at("second"));
  await writeWhole(at("open"), "mine", { replace: true });
  expect(statSync(at("open")).mode & 0o777).toBe(0o600);
  expect(readFileSync(at("second"), "utf8")).toBe("");
});

it("uses no name that somebody could have prepared", async () => {
  for (const name of ["x.partial", "x.next", `x.${process.pid}.partial`, "x.tmp"])
    symlinkSync(at("victim"), at(name));
  await writeWhole(at("x"), "mine", { replace: true });
  expect(readdirSync(folder)).not.toContain("victim");
  for (const name of ["x.partial", "x.next"]) expect(readlinkSync(at(name))).toBe(at("victim"));
});

it.each([255, 254, 248])("takes a name of %i bytes", async (length) => {
  await writeWhole(at("n".repeat(length)), "x");
  expect(readdirSync(folder)).toEqual(["n".repeat(length)]);
});

it.skipIf(process.platform === "win32" || missingProgram("mkfifo", "coreutils"))(
  "never replaces a device or a pipe",
  async () => {
    spawnSync("mkfifo", [at("pipe")]);
    await expect(writeWhole(at("pipe"), "x", { replace: true })).rejects.toMatchObject({ code: "EEXIST" });
    expect(lstatSync(at("pipe")).isFIFO()).toBe(true);
    expect(readdirSync(folder)).toEqual(["pipe"]);
  },
);

it.each(["process.exit(3)", "throw new Error('x')"])("leaves nothing when the process ends by %s", (end) => {
  const script = `
    import { WholeFile } from ${JSON.stringify(new URL("./whole-file.ts", import.meta.url).href)};
    const file = await WholeFile.create(${JSON.stringify(at("x"))});
    await file.write("half");
    ${end};`;
  const { status } = spawnSync(process.execPath, ["--input-type=module", "-e", script]);
  expect(status).not.toBe(0);
  expect(readdirSync(folder)).toEqual([]);
});
