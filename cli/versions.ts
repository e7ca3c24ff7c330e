/** `coffer replace` and `coffer versions`: another content as the next version of a document, and those that there are. */

import { parseArgs } from "node:util";
import { versionOf } from "#web/client/series.ts";
import { DOCUMENT_LINE } from "./document-line.ts";
import { fileStream } from "./file-stream.ts";
import { formatBytes } from "./format.ts";
import { interruptSignal } from "./interrupt.ts";
import { jsonLine } from "./json-line.ts";
import { exactly, JSON_HELP_LINE } from "./life.ts";
import { mediaType } from "./media-type.ts";
import { numberIn } from "./number-in.ts";
import { find } from "./open.ts";
import { print, tell } from "./output.ts";
import { COFFER } from "./parts/index.ts";
import { progressBar } from "./progress-bar.ts";
import { readable } from "./seal.ts";
import { SESSION_HELP, sessionOptions, withClient } from "./session-options.ts";
import { shown } from "./shown.ts";
import { storedCode } from "./stored.ts";

export const REPLACE_HELP = `coffer replace DOCUMENT FILE: encrypt a file here as the next version of a document, and print its id

${DOCUMENT_LINE}
It keeps its name. The version before stays: \`${COFFER} versions\` lists it, \`${COFFER} open --version N\` writes it to a file, and
\`${COFFER} restore --version N\` makes it the newest again. Whom the document was shared with has it no more. Where somebody else has saved a
version meanwhile, nothing is stored.

  --keep N      how many earlier versions stay, 0 to 100 (20); those before them are deleted for good
${JSON_HELP_LINE}: old, id, account and version; and state, where it is stored and not finished
${SESSION_HELP}
Exit code: 0 stored, 1 not, or stored and not finished, 2 the command line is wrong.

Example: ${COFFER} replace contract.pdf contract-signed.pdf --user ada
`;

export const VERSIONS_HELP = `coffer versions DOCUMENT: the versions of a document, the newest first

Prints number, id, time of sealing and size. By its id \`${COFFER} delete\` deletes an earlier one alone.
${DOCUMENT_LINE}

  --json        one JSON array on standard output
${SESSION_HELP}
Exit code: 0 listed, 1 not, 2 the command line is wrong.

Example: ${COFFER} versions contract.pdf --user ada
`;

const OPTIONS = { ...sessionOptions, json: { type: "boolean", default: false } } as const;

/** `coffer replace` */
export async function replace(args: string[]): Promise<number> {
  const options = { ...OPTIONS, keep: { type: "string" } } as const;
  const { values, positionals } = parseArgs({ args, allowPositionals: true, options });
  const [wanted = "", path = ""] = exactly("replace", positionals, "a document", "a file");
  const keep = values.keep === undefined ? undefined : numberIn("--keep", values.keep, 0, 100);
  await readable(path);
  const signal = interruptSignal();
  return withClient(values, async (client) => {
    const { id: old, account } = await find(client, wanted);
    const { size, modified } = await readable(path);
    const bar = progressBar(`Sealing ${shown(path)}`);
    const saved = await client.versions
      .save(old, fileStream(path), {
        ...{ account, type: mediaType(path), modified, size, signal },
        ...(keep !== undefined && { keep }),
        onProgress: ({ bytes }) => bar.update(bytes, size),
      })
      .finally(() => bar.end());
    const { version } = versionOf(saved);
    const { id, state } = saved;
    tell(values.json, id, { old, id, account, version, state });
    return storedCode(saved);
  });
}

/** `coffer versions` */
export async function versions(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({ args, allowPositionals: true, options: OPTIONS });
  const [wanted = ""] = exactly("versions", positionals, "a document");
  return withClient(values, async (client) => {
    const { id, account } = await find(client, wanted);
    const all = await client.versions.list(id, { account });
    if (values.json) {
      const rows = all.map((document) => {
        const { id, account, created, sealedSize, metadata: { series: _, ...metadata } = {} } = document;
        return { version: versionOf(document).version, id, account, created, sealedSize, ...metadata };
      });
      await print(jsonLine(rows));
      return 0;
    }
    for (const document of all) {
      const { id, created, metadata, sealedSize } = document;
      const number = String(versionOf(document).version).padStart(4);
      const size = formatBytes(metadata?.size ?? sealedSize).padStart(10);
      process.stdout.write(`${number}  ${id}  ${created.toISOString().slice(0, 16)}  ${size}\n`);
    }
    return 0;
  });
}
