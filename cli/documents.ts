/** `coffer rename`, `delete` and `finish`: what is done with documents that are there, as the kit's `rename`, `remove` and `finish`. */

import { parseArgs } from "node:util";
import type { Client } from "./client.ts";
import { CommandError } from "./command-error.ts";
import { DOCUMENT_LINE } from "./document-line.ts";
import { interruptSignal } from "./interrupt.ts";
import { exactly, JSON_HELP_LINE } from "./life.ts";
import { numberIn } from "./number-in.ts";
import { allDocuments, find, lookUp } from "./open.ts";
import { tell } from "./output.ts";
import { COFFER } from "./parts/index.ts";
import { SESSION_HELP, sessionOptions, withClient } from "./session-options.ts";
import { shown } from "./shown.ts";

export const RENAME_HELP = `coffer rename DOCUMENT NAME: give a document another name, and print its new id

${DOCUMENT_LINE}
What is stored under an id never changes, so it is sealed again, under a new key, and the old one is deleted when that is complete.

${JSON_HELP_LINE}: old, id, account and name
${SESSION_HELP}
Exit code: 0 renamed, 1 not, 2 the command line is wrong.

Example: ${COFFER} rename draft.pdf contract.pdf --user ada
`;

export const DELETE_HELP = `coffer delete DOCUMENT …: delete documents, for good unless days are given

${DOCUMENT_LINE}
All of them are looked for before the first is deleted. Earlier versions go with their document; by its id one of them goes alone.

  --days N      not for good: for 1 to 90 days \`${COFFER} restore\` brings them back
  --json        one JSON object a document on standard output: id and account
${SESSION_HELP}
Exit code: 0 all deleted, 1 at least one was not (those that were printed are), 2 the command line is wrong.

Example: ${COFFER} delete contract.pdf --user ada
`;

export const FINISH_HELP = `coffer finish DOCUMENT: enter a document that is stored and stands in no index of versions

\`coffer list --json\` says \`unfinished\` of it: its sealing was cut off after it was stored. It is opened first.
${DOCUMENT_LINE}

${JSON_HELP_LINE}: id and account
${SESSION_HELP}
Exit code: 0 entered, 1 not, 2 the command line is wrong.

Example: ${COFFER} finish 7b0c6c1e-6d5f-4c93-9a3e-0d3c5b1f2a77 --user ada
`;

type Work = (client: Client, named: string[], json: boolean, signal: AbortSignal) => Promise<void>;

const OPTIONS = { ...sessionOptions, json: { type: "boolean", default: false } } as const;

/** A command line of these. */
async function run(args: string[], check: (named: string[]) => void, work: Work): Promise<number> {
  const { values, positionals } = parseArgs({ args, allowPositionals: true, options: OPTIONS });
  check(positionals);
  const signal = interruptSignal();
  await withClient(values, (client) => work(client, positionals, values.json, signal));
  return 0;
}

/** `coffer rename` */
export function rename(args: string[]): Promise<number> {
  const check = (named: string[]) => void exactly("rename", named, "a document", "a name");
  return run(args, check, async (client, [wanted = "", name = ""], json, signal) => {
    const { id: old, account } = await find(client, wanted);
    const { id } = await client.documents.reEncrypt(old, { account, name, signal });
    tell(json, id, { old, id, account, name });
  });
}

/** `coffer delete` */
export async function deleteDocuments(args: string[]): Promise<number> {
  const options = { ...OPTIONS, days: { type: "string" } } as const;
  const { values, positionals } = parseArgs({ args, allowPositionals: true, options });
  if (positionals.length === 0) throw new CommandError("coffer delete: name a document. Try --help.", 2);
  const days = values.days === undefined ? undefined : numberIn("--days", values.days, 1, 90);
  const signal = interruptSignal();
  await withClient(values, async (client) => {
    const all = await allDocuments(client);
    const found = positionals.map(lookUp(all));
    const listed = new Set(all);
    // One whose name did not come may be an earlier version of any.
    const unread = all.filter(({ error }) => error !== undefined);
    for (const document of found) {
      signal.throwIfAborted();
      const { id, account, metadata } = document;
      await client.documents.remove(id, {
        ...{ account, signal, ...(days !== undefined && { days }) },
        // An earlier version, by its id, goes alone.
        ...(listed.has(document) && { among: [document, ...unread] }),
      });
      tell(values.json, `${id}\t${shown(metadata?.name ?? "")}`, { id, account });
    }
  });
  return 0;
}

/** `coffer finish` */
export function finish(args: string[]): Promise<number> {
  const check = (named: string[]) => void exactly("finish", named, "a document");
  return run(args, check, async (client, [wanted = ""], json, signal) => {
    const { id, account } = await find(client, wanted);
    await client.documents.finish(id, { account, signal });
    tell(json, id, { id, account });
  });
}
