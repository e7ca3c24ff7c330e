import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { makeFolder } from "./make-folder.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "coffer-folder-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

it("makes a folder and those above it, for its owner alone, and leaves what is there", () => {
  const dir = join(folder, "a/b/c");
  makeFolder(dir);
  makeFolder(dir);
  for (const made of ["a", "a/b", "a/b/c"])
    expect(statSync(join(folder, made)).mode & 0o777, made).toBe(0o700);
  symlinkSync(dir, join(folder, "link"));
  makeFolder(join(folder, "link"));
});

it("says what is in the way: a file, a file above, a link to nothing", () => {
  writeFileSync(join(folder, "file"), "");
  symlinkSync(join(folder, "nowhere"), join(folder, "link"));
  const refusal = (name: string, code: string) =>
    expect(() => makeFolder(join(folder, name))).toThrow(expect.objectContaining({ code }));
  refusal("file", "EEXIST");
  refusal("file/below", "ENOTDIR");
  refusal("link", "EEXIST");
});

it.skipIf(process.platform !== "linux")("comes to an end where the system lets nobody make a folder", () => {
  const script = `
    import { makeFolder } from ${JSON.stringify(new URL("./make-folder.ts", import.meta.url).href)};
    try { makeFolder("/proc/coffer/below"); } catch ({ code }) { console.log(code); }`;
  // In a process of its own, which a loop without end does not keep from being ended.
  const options = { encoding: "utf8", timeout: 10_000, killSignal: "SIGKILL" } as const;
  const { signal, stdout } = spawnSync(process.execPath, ["--input-type=module", "-e", script], options);
  expect({ signal, stdout }).toEqual({ signal: null, stdout: "ENOENT\n" });
});
