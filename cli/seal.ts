import { stat } from "node:fs/promises";
import { basename } from "node:path";
import { parseArgs } from "node:util";
import { CommandError } from "./command-error.ts";
import { fileStream } from "./file-stream.ts";
import { formatBytes } from "./format.ts";
import { INPUT } from "./input.ts";
import { interruptSignal } from "./interrupt.ts";
import { jsonLine } from "./json-line.ts";
import { ACCOUNT_HELP_LINE, accountOf } from "./life.ts";
import { mediaType } from "./media-type.ts";
import { print } from "./output.ts";
import { COFFER } from "./parts/index.ts";
import { progressBar } from "./progress-bar.ts";
import { readSeed, SEED_HELP, SEED_OPTION } from "./seed.ts";
import { SESSION_HELP, sessionOptions, withClient } from "./session-options.ts";
import { shown } from "./shown.ts";
import { storedCode } from "./stored.ts";

export const SEAL_HELP = `coffer seal FILE …: encrypt files here and store the result

Prints one line per file: the document's id, a tab, its name. The file itself stays where it is. - is standard input.
A file that changes while it is read is not kept, and the command says so and ends.

  --name NAME   what the document is called, of one FILE       (as the file)
${ACCOUNT_HELP_LINE}
  --json        one line of JSON per file: id, account, name, size; and state, where it is stored and not finished
${SEED_HELP}${SESSION_HELP}
Exit code: 0 all stored, 1 at least one was not (those that were printed are), or not finished, 2 the command line is wrong.

Examples: ${COFFER} seal contract.pdf
          ${COFFER} seal --user alice *.jpg
          pg_dump cases | ${COFFER} seal - --name cases.sql
          ${COFFER} seal --seed - contract.pdf < passphrase.txt
`;

/** `coffer seal FILE …` */
export async function seal(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    options: {
      ...sessionOptions,
      ...SEED_OPTION,
      name: { type: "string" },
      account: { type: "string" },
      json: { type: "boolean" },
    },
    allowPositionals: true,
  });
  if (positionals.length === 0) throw new CommandError("coffer seal: name a file. Try --help.", 2);
  if (values.name !== undefined && positionals.length > 1)
    throw new CommandError("--name is of one file.", 2);
  if (positionals.includes(INPUT)) {
    if (values.seed === INPUT) throw new CommandError("Standard input is the file or the seed, not both.", 2);
    if (positionals.length > 1) throw new CommandError("coffer seal: - is sealed by itself.", 2);
    if (values.name === undefined)
      throw new CommandError("coffer seal -: say what it is called, by --name.", 2);
  }
  for (const path of positionals) if (path !== INPUT) await readable(path);
  const signal = interruptSignal();
  const seed = values.seed === undefined ? undefined : await readSeed(values.seed);
  return withClient(values, async (client) => {
    const { documents, loadBySeed } = client;
    const account = accountOf(client, values.account);
    const [key] = seed ? await loadBySeed(seed, { account, signal }) : [];
    let code = 0;
    for (const path of positionals) {
      // Not when the command began: what is sealed is the file as it is now.
      const { size, modified } = path === INPUT ? {} : await readable(path);
      const name = values.name ?? basename(path);
      const bar = progressBar(`Sealing ${shown(name)}`);
      const document = await documents
        .seal(path === INPUT ? standardInput() : fileStream(path), account, {
          name,
          type: mediaType(name),
          ...(modified !== undefined && { modified, size }),
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
      const { id, account: of, metadata, state } = document;
      const sealed = metadata?.size ?? size ?? 0;
      await print(
        values.json ? jsonLine({ id, account: of, name, size: sealed, state }) : `${id}\t${shown(name)}\n`,
      );
      process.stderr.write(`Sealed ${formatBytes(sealed)}.\n`);
      code = Math.max(code, storedCode(document));
    }
    return code;
  });
}

/** As it comes, in fresh buffers, which may be transferred: of a length that nobody knows yet. */
function standardInput(): ReadableStream<Uint8Array<ArrayBuffer>> {
  const pieces = process.stdin[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  return new ReadableStream(
    {
      async pull(controller) {
        const { done, value } = await pieces.next();
        if (done) controller.close();
        else controller.enqueue(new Uint8Array(value));
      },
      async cancel() {
        process.stdin.destroy();
      },
    },
    { highWaterMark: 0 },
  );
}

export async function readable(path: string): Promise<{ size: number; modified: number }> {
  const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error;
    throw new CommandError(`${shown(path)}: there is no such file.`);
  });
  if (!found.isFile()) throw new CommandError(`${shown(path)} is not a file; folders cannot be sealed yet.`);
  return { size: found.size, modified: Math.round(found.mtimeMs) };
}
