import { parseArgs } from "node:util";
import type { Document } from "#web/client/document-list.ts";
import type { Client } from "./client.ts";
import { CommandError } from "./command-error.ts";
import { type Destination, openDestination } from "./destination.ts";
import { exportFileName } from "./export-file-name.ts";
import { formatBytes } from "./format.ts";
import { interruptSignal } from "./interrupt.ts";
import { jsonLine } from "./json-line.ts";
import { print } from "./output.ts";
import { COFFER } from "./parts/index.ts";
import { progressBar } from "./progress-bar.ts";
import { readSeed, SEED_HELP, SEED_OPTION } from "./seed.ts";
import { SESSION_HELP, sessionOptions, withClient } from "./session-options.ts";
import { shown } from "./shown.ts";
import { versionNamed } from "./version-named.ts";

export const OPEN_HELP = `coffer open DOCUMENT: fetch a document, decrypt it here and write it to a file

DOCUMENT is an id as \`coffer list\` prints it, or the file's name where only one document has it; - reads one line of it from
standard input, of which what stands before a tab counts.
The file appears under its name when all of it has been verified, and not before; it is yours alone (mode 0600).
Without --to it is called as the document is, with _ for what cannot be in a file's name.

  --to PATH     write to this file, or into this folder; - writes to standard output.
                A pipe or a device is written into while the document is being verified: what came
                is complete only when the command ends with 0
  --version N   an earlier version, by its number as \`coffer versions\` prints it
  --json        one line of JSON on standard output, where the document itself is not: id, account, name, size, path
${SEED_HELP}  --force       replace a file that is there; a symbolic link is replaced itself, not what it leads to
${SESSION_HELP}
Exit code: 0 written, 1 not written, 2 the command line is wrong.

Examples: ${COFFER} open contract.pdf --to /tmp/contract.pdf
          ${COFFER} open 7b0c6c1e-6d5f-4c93-9a3e-0d3c5b1f2a77
          ${COFFER} open 7b0c6c1e-6d5f-4c93-9a3e-0d3c5b1f2a77 --seed key.bin
`;

/** `coffer open DOCUMENT` */
export async function open(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    options: {
      ...sessionOptions,
      to: { type: "string" },
      force: { type: "boolean" },
      json: { type: "boolean" },
      version: { type: "string" },
      ...SEED_OPTION,
    },
    allowPositionals: true,
  });
  const [given, ...more] = positionals;
  if (given === undefined || more.length > 0)
    throw new CommandError("coffer open: name one document. Try --help.", 2);
  if (values.json && values.to === "-")
    throw new CommandError("--json and the document do not go to standard output together.", 2);
  if (given === "-" && values.seed === "-")
    throw new CommandError("Standard input is the document's id or the seed, not both.", 2);
  const signal = interruptSignal();
  const wanted = given === "-" ? await lineOfInput() : given;
  const seed = values.seed === undefined ? undefined : await readSeed(values.seed);
  return withClient(values, async (client) => {
    const all = await allDocuments(client);
    const { id, account } = versionNamed(all, named(all, wanted), values.version).found;
    if (seed) await client.loadBySeed(seed, { document: id, account, signal });
    const bar = progressBar(`Opening ${shown(wanted)}`);
    const document = await client.documents.open(id, {
      account,
      signal,
      onProgress: ({ bytes, total }) => bar.update(bytes, total),
    });
    const name = exportFileName({ id, metadata: document }, new Set());
    const target = await openDestination(values.to ?? name, { force: values.force === true, name, signal });
    await writeInto(target, document.stream).finally(() => bar.end());
    const { size } = document;
    if (values.json) await print(jsonLine({ id, account, name: document.name, size, path: target.shown }));
    process.stderr.write(
      `Opened ${shown(document.name)}, ${formatBytes(size)}, as ${shown(target.shown)}.\n`,
    );
    return 0;
  });
}

/** Bytes of a line that names a document. */
const MAX_LINE = 4096;

async function lineOfInput(): Promise<string> {
  let text = "";
  for await (const piece of process.stdin.setEncoding("utf8")) {
    text += piece;
    if (text.includes("\n") || text.length > MAX_LINE) break;
  }
  const [line = ""] = text.split(/[\r\n\t]/, 1);
  if (line === "" || line.length > MAX_LINE)
    throw new CommandError("coffer open -: standard input names no document.", 2);
  return line;
}

/** The user's document with this id or this name. */
export async function find(client: Client, wanted: string): Promise<Document> {
  return named(await allDocuments(client), wanted);
}

/** All of the user's. */
export function allDocuments({ documents, identity }: Client): Promise<Document[]> {
  return documents.list(identity.accounts.map(({ id }) => id));
}

/** The one of these with this id or this name. Error: `CommandError` where there is none, or more than one. */
export function named(all: readonly Document[], wanted: string): Document {
  return lookUp(all)(wanted);
}

/** The same for many of them. */
export function lookUp(all: readonly Document[]): (wanted: string) => Document {
  const versions = all.flatMap((one) => [one, ...(one.earlier ?? [])]);
  const byId = new Map(versions.map((one) => [one.id, one]));
  const byName = Map.groupBy(all, ({ metadata }) => metadata?.name);
  return (wanted) => byId.get(wanted) ?? onlyOne(byName.get(wanted) ?? [], wanted);
}

function onlyOne(called: readonly Document[], wanted: string): Document {
  const [only, ...others] = called;
  if (only && others.length === 0) return only;
  if (!only)
    throw new CommandError(
      `There is no document '${shown(wanted)}'. \`${COFFER} list\` shows what there is, and \`${COFFER} restore\` what was deleted.`,
    );
  throw new CommandError(
    `${called.length} documents are called '${shown(wanted)}'. Name one by its id:\n${called.map(({ id, created }) => `  ${id}  sealed ${created.toISOString()}`).join("\n")}`,
  );
}

/** Writes all of a stream; where it fails, nothing of a file is left. */
export async function writeInto(target: Destination, stream: ReadableStream<Uint8Array>): Promise<void> {
  try {
    for await (const chunk of stream) await target.write(chunk);
    await target.finish();
  } catch (error) {
    await target.discard();
    throw error;
  }
}
