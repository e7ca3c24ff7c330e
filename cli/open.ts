import { access, open as openFile, rename, rm } from "node:fs/promises";
import { basename, resolve } from "node:path";
import { parseArgs } from "node:util";
import type { Document } from "#web/custodian/documents.ts";
import type { Client } from "./client.ts";
import { CommandError } from "./command-error.ts";
import { formatBytes } from "./format.ts";
import { interruptSignal } from "./interrupt.ts";
import { progressBar } from "./progress-bar.ts";
import { SESSION_HELP, sessionOptions, withClient } from "./session-options.ts";

export const OPEN_HELP = `coffer open DOCUMENT: fetch a document, decrypt it here and write it to a file

DOCUMENT is an id as \`coffer list\` prints it, or the file's name where only one document has it.
The file appears under its name when all of it has been verified, and not before.

  --to PATH     write to this file; - writes to standard output    (the document's name)
  --force       replace a file that is there
${SESSION_HELP}
Examples: coffer open contract.pdf --to /tmp/contract.pdf
          coffer open 7b0c6c1e-6d5f-4c93-9a3e-0d3c5b1f2a77
`;

/** `coffer open DOCUMENT` */
export async function open(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    options: { ...sessionOptions, to: { type: "string" }, force: { type: "boolean" } },
    allowPositionals: true,
  });
  const [wanted, ...more] = positionals;
  if (wanted === undefined || more.length > 0)
    throw new CommandError("coffer open: name one document. Try --help.", 2);
  const signal = interruptSignal();
  return withClient(values, async (client) => {
    const { id, account } = await find(client, wanted);
    const bar = progressBar(`Opening ${wanted}`);
    const document = await client.documents.open(id, {
      account,
      signal,
      onProgress: ({ bytes, total }) => bar.update(bytes, total),
    });
    const target = values.to ?? basename(document.name);
    if (target === "-") {
      for await (const chunk of document.stream)
        await new Promise<void>((done) => process.stdout.write(chunk, () => done()));
    } else {
      await writeVerified(resolve(target), document.stream, values.force === true);
    }
    bar.end();
    process.stderr.write(
      `Opened ${document.name}, ${formatBytes(document.size)}${target === "-" ? "" : `, as ${target}`}.\n`,
    );
    return 0;
  });
}

/** The user's document with this id or this name. */
export async function find({ documents, identity }: Client, wanted: string): Promise<Document> {
  const all = await documents.list(identity.accounts.map(({ id }) => id));
  const byId = all.find(({ id }) => id === wanted);
  if (byId) return byId;
  const named = all.filter(({ metadata }) => metadata?.name === wanted);
  if (named.length === 1) return named[0]!;
  if (named.length === 0)
    throw new CommandError(`There is no document '${wanted}'. \`coffer list\` shows what there is.`);
  throw new CommandError(
    `${named.length} documents are called '${wanted}'. Name one by its id:\n${named.map(({ id, created }) => `  ${id}  sealed ${created.toISOString()}`).join("\n")}`,
  );
}

/** Writes beside the target and renames at the end: nothing that is incomplete ever carries the name. */
export async function writeVerified(
  path: string,
  stream: ReadableStream<Uint8Array>,
  force: boolean,
): Promise<void> {
  const there = await access(path).then(
    () => true,
    () => false,
  );
  if (there && !force)
    throw new CommandError(`${path} is there already. Use --to for another name, or --force to replace it.`);
  const partial = `${path}.partial`;
  const file = await openFile(partial, "w", 0o600);
  try {
    for await (const chunk of stream) await file.writeFile(chunk);
    await file.sync();
    await file.close();
    await rename(partial, path);
  } catch (error) {
    await file.close().catch(() => {});
    await rm(partial, { force: true });
    throw error;
  }
}
