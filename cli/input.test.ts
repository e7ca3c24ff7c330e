import { expect, it } from "vitest";
import { expectOneInput, readInput, readNamed } from "./input.ts";

async function* pieces(...all: string[]) {
  for (const text of all) yield Buffer.from(text);
}

it("standard input is read to its end, and a character over two pieces stays one", async () => {
  const bytes = Buffer.from("schlüssel");
  const input = async function* () {
    yield bytes.subarray(0, 5);
    yield bytes.subarray(5);
  };
  expect(await readInput(100, input())).toBe("schlüssel");
  expect(await readInput(100, pieces())).toBe("");
});

it("no more of it than the bound is kept", async () => {
  expect(await readInput(8, pieces("12345678"))).toBe("12345678");
  await expect(readInput(8, pieces("12345678", "9"))).rejects.toMatchObject({ exitCode: 1 });
});

it("- stands for one file, and a file that is not there is named with its option", async () => {
  expect(() => expectOneInput("-", undefined, "a")).not.toThrow();
  expect(() => expectOneInput("-", "a", "-")).toThrow("say - once");
  await expect(readNamed("/nowhere/key.pem", { option: "--key" })).rejects.toThrow(
    "--key: /nowhere/key.pem cannot be read.",
  );
});
