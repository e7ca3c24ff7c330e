/** A seed for `coffer seal` and `open` (M9): a file, or standard input. Never a part of the command line, which others on the machine read. */

import { openAsBlob } from "node:fs";
import { stat } from "node:fs/promises";
import { MAX_SEED } from "#protocol/seed.ts";
import { CommandError } from "./command-error.ts";
import { shown } from "./shown.ts";

export const SEED_OPTION = { seed: { type: "string" } } as const;

export const SEED_HELP = `  --seed FILE   under a key that comes from this file, of any length; - reads it from standard input, 64 KiB at most. A
                passphrase is taken without the line end behind it. Keep it: without it the document stays closed
`;

/** Bytes of a line end. */
const [LF, CR] = [0x0a, 0x0d];

/** Error: `CommandError` where there is none. */
export async function readSeed(
  from: string,
  input: AsyncIterable<Uint8Array> = process.stdin,
): Promise<Uint8Array | Blob> {
  if (from === "-") return fromInput(input);
  const found = await stat(from).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error;
    throw new CommandError(`${shown(from)}: there is no such file.`);
  });
  if (!found.isFile()) throw new CommandError(`${shown(from)} is not a file.`);
  if (found.size === 0) throw new CommandError(`${shown(from)} is empty: nothing comes of it.`);
  return openAsBlob(from);
}

async function fromInput(input: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of input) {
    length += chunk.length;
    if (length > MAX_SEED) throw new CommandError("What came as a seed is longer than 64 KiB: give a file.");
    chunks.push(chunk);
  }
  const all = Buffer.concat(chunks);
  for (const chunk of chunks) chunk.fill(0);
  const end = all.at(-1) === LF ? (all.at(-2) === CR ? 2 : 1) : 0;
  if (all.length === end) throw new CommandError("Nothing came as a seed on standard input.");
  return all.subarray(0, all.length - end);
}
