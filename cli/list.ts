import { parseArgs } from "node:util";
import { formatBytes } from "./format.ts";
import { jsonLine } from "./json-line.ts";
import { print } from "./output.ts";
import { COFFER } from "./parts/index.ts";
import { SESSION_HELP, sessionOptions, withClient } from "./session-options.ts";
import { shown } from "./shown.ts";

export const LIST_HELP = `coffer list: the documents, newest first

Prints id, time of sealing, size and name. Names are decrypted here.

  --json        one JSON array on standard output
${SESSION_HELP}
Exit code: 0 listed, 1 not, 2 the command line is wrong.

Example: ${COFFER} list --user alice
`;

/** `coffer list` */
export async function list(args: string[]): Promise<number> {
  const { values } = parseArgs({ args, options: { ...sessionOptions, json: { type: "boolean" } } });
  return withClient(values, async ({ documents, identity }) => {
    const all = await documents.list(identity.accounts.map(({ id }) => id));
    if (values.json) {
      const rows = all.map(({ id, created, sealedSize, state, metadata: { series, ...metadata } = {} }) => ({
        ...{ id, created, sealedSize },
        ...(state !== undefined && { state }),
        ...(series && { version: series.version }),
        ...metadata,
      }));
      await print(jsonLine(rows));
      return 0;
    }
    for (const { id, created, state, metadata } of all) {
      const size = metadata ? formatBytes(metadata.size) : "";
      const name = metadata ? shown(metadata.name) : "(cannot be opened)";
      process.stdout.write(
        `${id}  ${created.toISOString().slice(0, 16)}  ${size.padStart(10)}  ${name}${state === undefined ? "" : `  (${state})`}\n`,
      );
    }
    if (all.length === 0) process.stderr.write(`No documents yet. \`${COFFER} seal FILE\` makes one.\n`);
    return 0;
  });
}
