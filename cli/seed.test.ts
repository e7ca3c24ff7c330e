import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { MAX_SEED } from "#protocol/seed.ts";
import { CommandError } from "./command-error.ts";
import { readSeed } from "./seed.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "coffer-seed-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function* input(...texts: string[]) {
  for (const text of texts) yield Buffer.from(text);
}
const read = async (...texts: string[]) =>
  Buffer.from((await readSeed("-", input(...texts))) as Uint8Array).toString();

it("M9 takes a passphrase from standard input without the line end behind it, and nothing else away", async () => {
  expect(await read("pass phrase\n")).toBe("pass phrase");
  expect(await read("pass ", "phrase\r\n")).toBe("pass phrase");
  expect(await read(" pass\nphrase \n\n")).toBe(" pass\nphrase \n");
  for (const texts of [[], [""], ["\n"], ["\r\n"]])
    await expect(read(...texts)).rejects.toThrow(CommandError);
  await expect(read("x".repeat(MAX_SEED), "x")).rejects.toThrow(CommandError);
});

it("M9 takes a file as it is, whatever its length, and no folder", async () => {
  const file = join(folder, "key.bin");
  writeFileSync(file, "all of it\n");
  const seed = await readSeed(file);
  expect(seed).toBeInstanceOf(Blob);
  expect(await (seed as Blob).text()).toBe("all of it\n");
  writeFileSync(file, "");
  for (const from of [file, folder, join(folder, "none")])
    await expect(readSeed(from)).rejects.toThrow(CommandError);
});
