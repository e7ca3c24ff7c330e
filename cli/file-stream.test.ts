import {
  appendFileSync,
  mkdtempSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { fileStream } from "./file-stream.ts";

const folder = mkdtempSync(join(tmpdir(), "coffer-source-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const path = join(folder, "file");
const SIZE = 3_500_000;

async function readWhile(change: () => void): Promise<number> {
  writeFileSync(path, Buffer.alloc(SIZE, 1));
  const reader = fileStream(path).getReader();
  let length = (await reader.read()).value!.length;
  change();
  for (let read = await reader.read(); !read.done; read = await reader.read()) length += read.value.length;
  return length;
}

it("gives all of a file that stays as it is", async () => {
  expect(await readWhile(() => {})).toBe(SIZE);
  writeFileSync(path, "");
  expect((await fileStream(path).getReader().read()).done).toBe(true);
});

it.each([
  ["shrinks", () => truncateSync(path, 2_000_000)],
  ["is emptied", () => truncateSync(path, 0)],
  ["grows", () => appendFileSync(path, "x")],
  ["is rewritten in the same length", () => writeFileSync(path, Buffer.alloc(SIZE, 2))],
  [
    "is rewritten, and its time set back",
    () => {
      const { atime, mtime } = statSync(path);
      writeFileSync(path, Buffer.alloc(SIZE, 2));
      utimesSync(path, atime, mtime);
    },
  ],
  [
    "shrinks and grows back",
    () => {
      truncateSync(path, 1_000_000);
      appendFileSync(path, Buffer.alloc(SIZE - 1_000_000, 3));
    },
  ],
])("errs rather than ends when the file %s meanwhile", async (_, change) => {
  await expect(readWhile(change)).rejects.toMatchObject({ code: "source-changed" });
});

it("says what the system says of a file that is not there or a folder", async () => {
  await expect(fileStream(join(folder, "nowhere")).getReader().read()).rejects.toMatchObject({
    code: "ENOENT",
  });
  await expect(fileStream(folder).getReader().read()).rejects.toMatchObject({ code: "EISDIR" });
});
