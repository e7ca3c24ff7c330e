import { stat } from "node:fs/promises";
import { basename } from "node:path";
import { parseArgs } from "node:util";
import { CommandError } from "./command-error.ts";
import { fileStream } from "./file-stream.ts";
import { formatBytes } from "./format.ts";
import { interruptSignal } from "./interrupt.ts";
import { mediaType } from "./media-type.ts";
import { progressBar } from "./progress-bar.ts";
import { SESSION_HELP, sessionOptions, withClient } from "./session-options.ts";

export const SEAL_HELP = `coffer seal FILE …: encrypt files here and store what comes out

Prints one line a file: the document's id, a tab, its name. The file itself stays where it is.

${SESSION_HELP}
Examples: coffer seal contract.pdf
          coffer seal --user alice *.jpg
`;

/** `coffer seal FILE …` */
export async function seal(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({ args, options: sessionOptions, allowPositionals: true });
  if (positionals.length === 0) throw new CommandError("coffer seal: name a file. Try --help.", 2);
  const files = await Promise.all(positionals.map(readable));
  const signal = interruptSignal();
  return withClient(values, async ({ documents, identity }) => {
    for (const { path, size, modified } of files) {
      const bar = progressBar(`Sealing ${basename(path)}`);
      const document = await documents
        .seal(fileStream(path), identity.accounts[0]!.id, {
          name: basename(path),
          type: mediaType(path),
          modified,
          signal,
          onProgress: ({ bytes }) => bar.update(bytes, size),
        })
        .finally(() => bar.end());
      process.stdout.write(`${document.id}\t${basename(path)}\n`);
      process.stderr.write(`Sealed ${formatBytes(size)}.\n`);
    }
    return 0;
  });
}

async function readable(path: string): Promise<{ path: string; size: number; modified: number }> {
  const found = await stat(path).catch(() => {
    throw new CommandError(`${path}: there is no such file.`);
  });
  if (!found.isFile()) throw new CommandError(`${path} is not a file; folders cannot be sealed yet.`);
  return { path, size: found.size, modified: Math.round(found.mtimeMs) };
}
