import { parseArgs } from "node:util";
import { versionOf } from "#web/client/series.ts";
import { CommandError } from "./command-error.ts";
import { DOCUMENT_LINE } from "./document-line.ts";
import { interruptSignal } from "./interrupt.ts";
import { jsonLine } from "./json-line.ts";
import { ACCOUNT_HELP_LINE, accountOf, exactly, JSON_HELP_LINE, LIFE_OPTIONS } from "./life.ts";
import { named } from "./open.ts";
import { print, tell } from "./output.ts";
import { COFFER } from "./parts/index.ts";
import { SESSION_HELP, withClient } from "./session-options.ts";
import { shown } from "./shown.ts";
import { storedCode } from "./stored.ts";
import { versionNamed } from "./version-named.ts";

export const RESTORE_HELP = `coffer restore             the documents that were deleted and can be brought back
coffer restore DOCUMENT    brings one back, with its earlier versions
coffer restore DOCUMENT --version N    makes an earlier version the newest again

${DOCUMENT_LINE} So it is of those that were deleted, and with --version of those
that are there: what was the newest stays as an earlier version. Its id is printed.

  --version N   the number of the version, as \`${COFFER} versions\` prints it
${ACCOUNT_HELP_LINE}
${JSON_HELP_LINE}
${SESSION_HELP}
Exit code: 0 listed or restored, 1 not, or stored and not finished, 2 the command line is wrong.

Example: ${COFFER} restore --user ada
`;

/** `coffer restore` */
export async function restore(args: string[]): Promise<number> {
  const options = { ...LIFE_OPTIONS, version: { type: "string" } } as const;
  const { values, positionals } = parseArgs({ args, allowPositionals: true, options });
  const { json } = values;
  const [wanted] = positionals.length === 0 ? [] : exactly("restore", positionals, "a document");
  if (values.version !== undefined && wanted === undefined)
    throw new CommandError("--version goes with a document.", 2);
  const signal = interruptSignal();
  return withClient(values, async (client) => {
    const { documents, identity } = client;
    const account = values.account === undefined ? undefined : accountOf(client, values.account);
    const accounts = account === undefined ? identity.accounts.map((each) => each.id) : [account];
    if (wanted !== undefined && values.version !== undefined) {
      const listed = await documents.list(accounts);
      const { found, newest } = versionNamed(listed, named(listed, wanted), values.version);
      const { id: old, account } = found;
      if (old === newest.id)
        throw new CommandError(`Version ${versionOf(found).version} is the newest already: it stays.`);
      const restored = await client.versions.restore(old, { account, signal });
      const { id, state } = restored;
      tell(json, id, { old, id, account, state });
      return storedCode(restored);
    }
    const deleted = await documents.list(accounts, { deleted: true });
    if (wanted !== undefined) {
      const { id, account } = named(deleted, wanted);
      await documents.restore(id, { account, among: deleted });
      tell(json, `${id} is restored.`, { id, account });
      return 0;
    }
    if (json) {
      await print(
        jsonLine(
          deleted.map(({ id, account, ends, metadata: { series: _, ...metadata } = {} }) => {
            return { id, account, ends, ...metadata };
          }),
        ),
      );
      return 0;
    }
    for (const { id, ends, metadata } of deleted) {
      const name = metadata ? shown(metadata.name) : "(cannot be opened)";
      process.stdout.write(`${id}  until ${ends?.toISOString().slice(0, 16)}  ${name}\n`);
    }
    if (deleted.length === 0) process.stderr.write("Nothing that can be restored.\n");
    return 0;
  });
}
