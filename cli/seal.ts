import { stat } from "node:fs/promises";
import { basename } from "node:path";
import { parseArgs } from "node:util";
import { CommandError } from "./command-error.ts";
import { fileStream } from "./file-stream.ts";
import { formatBytes } from "./format.ts";
import { interruptSignal } from "./interrupt.ts";
import { mediaType } from "./media-type.ts";
import { print } from "./output.ts";
import { COFFER } from "./parts/index.ts";
import { progressBar } from "./progress-bar.ts";
import { readSeed, SEED_HELP, SEED_OPTION } from "./seed.ts";
import { SESSION_HELP, sessionOptions, withClient } from "./session-options.ts";
import { shown } from "./shown.ts";

export const SEAL_HELP = `coffer seal FILE …: encrypt files here and store the result

Prints one line per file: the document's id, a tab, its name. The file itself stays where it is.
A file that changes while it is read is not kept, and the command says so and ends.

${SEED_HELP}${SESSION_HELP}
Exit code: 0 all stored, 1 at least one was not (those that were printed are), 2 the command line is wrong.

Examples: ${COFFER} seal contract.pdf
          ${COFFER} seal --user alice *.jpg
          ${COFFER} seal --seed - contract.pdf < passphrase.txt
`;

/** `coffer seal FILE …` */
export async function seal(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    options: { ...sessionOptions, ...SEED_OPTION },
    allowPositionals: true,
  });
  if (positionals.length === 0) throw new CommandError("coffer seal: name a file. Try --help.", 2);
  for (const path of positionals) await readable(path);
  const signal = interruptSignal();
  const seed = values.seed === undefined ? undefined : await readSeed(values.seed);
  return withClient(values, async ({ documents, account, loadBySeed }) => {
    const [key] = seed ? await loadBySeed(seed, { account: account(), signal }) : [];
    for (const path of positionals) {
      // Not when the command began: what is sealed is the file as it is now.
      const { size, modified } = await readable(path);
      const name = basename(path);
      const bar = progressBar(`Sealing ${shown(name)}`);
      const document = await documents
        .seal(fileStream(path), account(), {
          name,
          type: mediaType(path),
          modified,
          size,
          signal,
          ...(key !== undefined && { key }),
          onProgress: ({ bytes }) => bar.update(bytes, size),
        })
        .finally(() => bar.end())
        .catch((error: unknown) => {
          if (signal.aborted && path !== positionals[0])
            throw new CommandError(
              "Cancelled; the files printed above are stored, and nothing of the others.",
            );
          throw error;
        });
      await print(`${document.id}\t${shown(name)}\n`);
      process.stderr.write(`Sealed ${formatBytes(document.metadata?.size ?? size)}.\n`);
    }
    return 0;
  });
}

async function readable(path: string): Promise<{ size: number; modified: number }> {
  const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error;
    throw new CommandError(`${shown(path)}: there is no such file.`);
  });
  if (!found.isFile()) throw new CommandError(`${shown(path)} is not a file; folders cannot be sealed yet.`);
  return { size: found.size, modified: Math.round(found.mtimeMs) };
}
