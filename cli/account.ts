import {
  ACCOUNT_HELP_LINE,
  accountOf,
  dateOf,
  deletionOf,
  END_HELP,
  exactly,
  JSON_HELP_LINE,
  type Verbs,
  verbOf,
} from "./life.ts";
import { tell } from "./output.ts";
import { COFFER } from "./parts/index.ts";
import { SESSION_HELP, withClient } from "./session-options.ts";
import { shown } from "./shown.ts";

export const ACCOUNT_HELP = `coffer account list             the user's accounts
coffer account create NAME      another one, whose only member the user is
coffer account rotate           another account key; what was sealed before opens as before
coffer account delete           deletes it with its keys and documents, some days ahead. Nothing of it opens until then
coffer account cancel           keeps it after all

${ACCOUNT_HELP_LINE}
${END_HELP}
${JSON_HELP_LINE}
${SESSION_HELP}
Exit code: 0 done, 1 not, 2 the command line is wrong.

Examples: ${COFFER} account create "Cases of 2026" --user ada
          ${COFFER} account delete --days 7 --user ada
`;

/** `coffer account` */
export async function account(args: string[]): Promise<number> {
  const { values, verb, rest, work } = verbOf("account", args, VERBS);
  exactly(`account ${verb}`, rest, ...(verb === "create" ? ["a name"] : []));
  deletionOf(values);
  await withClient(values, (client) => work(client, values, rest));
  return 0;
}

const VERBS: Verbs = {
  async list({ identity, life }, { json }) {
    const states = new Map((await life.states()).map((state) => [state.id, state]));
    const accounts = identity.accounts.flatMap(({ id }) => states.get(id) ?? []);
    const lines = accounts.map(({ id, name, ends }) => {
      return `${id}  ${shown(name)}${ends === undefined ? "" : `  (will be deleted ${dateOf(ends)})`}`;
    });
    tell(json, lines.join("\n"), accounts);
  },
  async create({ life }, { json }, [name = ""]) {
    const created = await life.create(name);
    tell(json, created.id, created);
  },
  async rotate(client, { account, json }) {
    const key = await client.life.rotateKey(accountOf(client, account));
    tell(json, `The account key is now version ${key.version}.`, key);
  },
  async delete(client, values) {
    const { json, immediately } = values;
    const id = accountOf(client, values.account);
    const ends = await client.life.delete(id, deletionOf(values));
    const text = immediately
      ? `The account ${id} is deleted.`
      : `The account ${id} will be deleted ${dateOf(ends)}. Until then nothing of it opens; to keep it: ${COFFER} account cancel --account ${id}`;
    tell(json, text, { account: id, ends });
  },
  async cancel(client, { account, json }) {
    const id = accountOf(client, account);
    await client.life.keep(id);
    tell(json, `The account ${id} is kept.`, { account: id });
  },
};
