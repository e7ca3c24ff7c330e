/** Files that a command line names and a command reads. `-` is standard input, for one of them. */

import { readFile } from "node:fs/promises";
import { CommandError } from "./command-error.ts";
import { shown } from "./shown.ts";

/** Standard input in the place of a file. */
export const INPUT = "-";

/** Bytes that are taken from standard input, 4 MiB: keys, certificates, policies and settings are far shorter. */
const MOST = 4 * 1024 * 1024;

/** Throws `CommandError` where `-` stands for two: it is read once. */
export function expectOneInput(...names: readonly (string | undefined)[]): void {
  if (names.filter((name) => name === INPUT).length > 1)
    throw new CommandError("Standard input is one file: say - once.", 2);
}

/** The text of a file, or of standard input. `option` and `advice` are for the sentence where it cannot be read, a `CommandError`. */
export async function readNamed(
  path: string,
  { option, advice = "" }: { option?: string; advice?: string } = {},
): Promise<string> {
  if (path === INPUT) {
    standardInput ??= readInput();
    return standardInput;
  }
  return readFile(path, "utf8").catch((cause: unknown) => {
    const named = option === undefined ? "" : `${option}: `;
    throw new CommandError(`${named}${shown(path)} cannot be read${advice}.`, 1, cause);
  });
}

/** What was read of it: a command may need one file twice, as `coffer rotate` connects to the HSM twice. */
let standardInput: Promise<string> | undefined;

/** All of standard input as text. Error: `CommandError` for more than `most` bytes. */
export async function readInput(
  most = MOST,
  input: AsyncIterable<Uint8Array> = process.stdin,
): Promise<string> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  for await (const piece of input) {
    length += piece.length;
    if (length > most) throw new CommandError(`Standard input has more than ${most} bytes.`);
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString("utf8");
}
