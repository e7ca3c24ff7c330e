import { CommandError } from "./command-error.ts";
import {
  ACCOUNT_HELP_LINE,
  accountOf,
  dateOf,
  deletionOf,
  END_HELP,
  exactly,
  JSON_HELP_LINE,
  tell,
  type Verbs,
  verbOf,
} from "./life.ts";
import { COFFER } from "./parts/index.ts";
import { SESSION_HELP, withClient } from "./session-options.ts";

export const KEY_HELP = `coffer key list            versions of an account's data key, the newest first
coffer key rotate          the next version: what is sealed from now on is under it, what was sealed before opens as before
coffer key delete KEY      deletes a version, some days ahead: what is sealed under it is closed until then, and for good afterwards
coffer key cancel KEY      keeps it after all

For tenants of level account and master. At level data each document has a key of its own: \`${COFFER} re-encrypt\` gives it another.

  --by instance with rotate: made by this program, encrypted under the account key, instead of by the HSM
  KEY           a version as the list has it: ID.NUMBER. Not the newest, which another one replaces first
${ACCOUNT_HELP_LINE}
${END_HELP}
${JSON_HELP_LINE}
${SESSION_HELP}
Exit code: 0 done, 1 not, 2 the command line is wrong.

Example: ${COFFER} key rotate --user ada
`;

/** `coffer key` */
export async function key(args: string[]): Promise<number> {
  const { values, verb, rest, work } = verbOf("key", args, VERBS);
  const named = verb === "delete" || verb === "cancel";
  const [key = ""] = exactly(`key ${verb}`, rest, ...(named ? ["a version"] : []));
  if (named && !/^[\w-]+\.[1-9]\d{0,8}$/.test(key))
    throw new CommandError("A version is ID.NUMBER, as `coffer key list` has it.", 2);
  deletionOf(values);
  makerOf(values.by);
  await withClient(values, (client) => work(client, values, rest));
  return 0;
}

function makerOf(by: string | undefined): "instance" | undefined {
  if (by === undefined || by === "instance") return by;
  throw new CommandError("--by takes `instance`; without it the HSM makes the version.", 2);
}

const VERBS: Verbs = {
  async list(client, { account, json }) {
    const versions = await client.life.keys(accountOf(client, account));
    const lines = versions.map(({ keyId, keyVersion, created, ends }, i) => {
      const said = ends === undefined ? (i === 0 ? "  newest" : "") : `  will be deleted ${dateOf(ends)}`;
      return `${keyId}.${keyVersion}  ${dateOf(created)}${said}`;
    });
    tell(json, lines.join("\n"), versions);
  },
  async rotate(client, { account, json, by }) {
    const made = await client.life.rotateDataKey(accountOf(client, account), { by: makerOf(by) });
    tell(json, `${made.keyId}.${made.keyVersion}`, made);
  },
  async delete(client, values, [key = ""]) {
    const { json, immediately } = values;
    const ends = await client.life.deleteDataKey(accountOf(client, values.account), key, deletionOf(values));
    tell(json, immediately ? `${key} is deleted.` : `${key} will be deleted ${dateOf(ends)}.`, { key, ends });
  },
  async cancel(client, { account, json }, [key = ""]) {
    await client.life.keepDataKey(accountOf(client, account), key);
    tell(json, `${key} is kept.`, { key });
  },
};
