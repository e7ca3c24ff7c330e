import { parseArgs } from "node:util";
import { DOCUMENT_LINE } from "./documents.ts";
import { jsonLine } from "./json-line.ts";
import { ACCOUNT_HELP_LINE, accountOf, exactly, JSON_HELP_LINE, LIFE_OPTIONS } from "./life.ts";
import { named } from "./open.ts";
import { print, tell } from "./output.ts";
import { COFFER } from "./parts/index.ts";
import { SESSION_HELP, withClient } from "./session-options.ts";
import { shown } from "./shown.ts";

export const RESTORE_HELP = `coffer restore             the documents that were deleted and can be brought back
coffer restore DOCUMENT    brings one back

${DOCUMENT_LINE} So it is of those that were deleted.

${ACCOUNT_HELP_LINE}
${JSON_HELP_LINE}
${SESSION_HELP}
Exit code: 0 listed or restored, 1 not, 2 the command line is wrong.

Example: ${COFFER} restore --user ada
`;

/** `coffer restore` */
export async function restore(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({ args, allowPositionals: true, options: LIFE_OPTIONS });
  const { json } = values;
  const [wanted] = positionals.length === 0 ? [] : exactly("restore", positionals, "a document");
  return withClient(values, async (client) => {
    const { documents, identity } = client;
    const account = values.account === undefined ? undefined : accountOf(client, values.account);
    const accounts = account === undefined ? identity.accounts.map((each) => each.id) : [account];
    const deleted = await documents.list(accounts, { deleted: true });
    if (wanted !== undefined) {
      const { id, account } = named(deleted, wanted);
      await documents.restore(id, { account });
      tell(json, `${id} is restored.`, { id, account });
      return 0;
    }
    if (json) {
      await print(
        jsonLine(deleted.map(({ id, account, ends, metadata }) => ({ id, account, ends, ...metadata }))),
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
