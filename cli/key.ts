import type { Client } from "./client.ts";
import { CommandError } from "./command-error.ts";
import { filterOf, isVersion, limitOf, lineOf, orderOf, readEdk, tagsOf } from "./data-key.ts";
import {
  ACCOUNT_HELP_LINE,
  accountOf,
  dateOf,
  deletionOf,
  END_HELP,
  endIn,
  exactly,
  JSON_HELP_LINE,
  type LifeValues,
  type Verbs,
  verbOf,
} from "./life.ts";
import type { KeysOf } from "./managed-keys.ts";
import { tell } from "./output.ts";
import { COFFER } from "./parts/index.ts";
import { SESSION_HELP, withClient } from "./session-options.ts";

export const KEY_HELP = `coffer key list            versions of an account's data keys
coffer key create          makes data keys, and prints what the key store gives back for each: an EDK, which is the caller's to keep
coffer key describe KEY    what the key store knows of a version
coffer key tag KEY NAME=VALUE …
                           has the version bear these tags and no others
coffer key disable KEY     releases it to nobody until it is enabled
coffer key enable KEY      releases it again
coffer key rotate [FILE]   the next version: what is sealed from now on is under it, what was sealed before opens as before
coffer key delete KEY      deletes a version, some days ahead: what is sealed under it is closed until then, and for good afterwards
coffer key cancel KEY      keeps it after all

At levels account and master an account has one data key in versions, which microservices find: list has the newest first, and rotate
takes no file. At level data each document has a key of its own, and \`${COFFER} re-encrypt\` gives it another; list has them by
identifier, and rotate takes a FILE with the EDK of a key's newest version (- reads standard input) and prints the next EDK.

  --algorithm A with create: AES-256-GCM-HKDF-SHA512-COMMIT-KEY, HMAC-SHA256-HKDF-SHA512, or of a pair that signs ES256, ES384,
                Ed25519, PS256, ML-DSA-65                   (AES-256-GCM-HKDF-SHA512-COMMIT-KEY)
  --purpose P   with create: document, data or signature    (as the algorithm says; document where none is said)
                with list at level data: those alone
  --count N     with create: how many, up to 16, of pairs 4 (1)
  --state S     with list at level data: enabled, disabled or ending (to be deleted), those alone
  --tag NAME    with list at level data: those that bear it alone
  --limit N     with list at level data: one page of so many, up to 100; standard error tells where there are more
  --after KEY   with list at level data: those behind this one
  --by instance with rotate: made by this program, encrypted under the account key, instead of by the HSM
  --own         keys of the tenant itself instead of an account's, as they were ordered by who asks, in this app
  KEY           a version as the list has it: ID.NUMBER. To delete: at levels account and master not the newest, which another one
                replaces first
${ACCOUNT_HELP_LINE}
${END_HELP}; at level data there is none at once
${JSON_HELP_LINE}
${SESSION_HELP}
Exit code: 0 done, 1 not, 2 the command line is wrong.

Example: ${COFFER} key rotate --user ada
`;

const OPTIONS = ["algorithm", "purpose", "count", "state", "tag", "limit", "after"] as const;
/** Which verb takes which of them. */
const TAKEN: Record<string, readonly string[]> = {
  create: ["algorithm", "purpose", "count"],
  list: ["purpose", "state", "tag", "limit", "after"],
};
const NAMED = ["describe", "tag", "disable", "enable", "delete", "cancel"];

/** `coffer key` */
export async function key(args: string[]): Promise<number> {
  const { values, verb, rest, work } = verbOf("key", args, VERBS);
  for (const name of OPTIONS)
    if (values[name] !== undefined && !TAKEN[verb]?.includes(name))
      throw new CommandError(`--${name} does not go with \`coffer key ${verb}\`.`, 2);
  orderOf(values);
  filterOf(values);
  limitOf(values.limit);
  if (verb === "tag") tagsOf(rest.slice(1));
  else if (verb !== "rotate" || rest.length > 1)
    exactly(`key ${verb}`, rest, ...(NAMED.includes(verb) ? ["a version"] : []));
  if (NAMED.includes(verb) && !isVersion(rest[0] ?? ""))
    throw new CommandError("A version is ID.NUMBER, as `coffer key list` has it.", 2);
  if (verb === "rotate" && rest.length > 0 && values.by !== undefined)
    throw new CommandError("--by and a file do not go together.", 2);
  deletionOf(values);
  if (values.own && values.account !== undefined)
    throw new CommandError("--own and --account do not go together.", 2);
  if (values.own && values.immediately)
    throw new CommandError("With --own there is none at once: say --days.", 2);
  makerOf(values.by);
  await withClient(values, (client) => work(client, values, rest));
  return 0;
}

function makerOf(by: string | undefined): "instance" | undefined {
  if (by === undefined || by === "instance") return by;
  throw new CommandError("--by takes `instance`; without it the HSM makes the version.", 2);
}

/** Versions of the account's one data key. At level `data` there are none. */
async function isOfAccount(client: Client, { account }: { account: string }, key: string): Promise<boolean> {
  const versions = await client.life.keys(account);
  return versions.some(({ keyId, keyVersion }) => `${keyId}.${keyVersion}` === key);
}

const VERBS: Verbs = {
  async list(client, values) {
    const { json, limit } = values;
    const of = keysOf(client, values);
    const versions = "account" in of ? await client.life.keys(of.account) : [];
    if (versions.length === 0) {
      const { keys, more } = await client.managed.list(of, filterOf(values), limitOf(limit));
      tell(json, keys.map(lineOf).join("\n"), keys);
      if (more) process.stderr.write(`There are more: --after ${keys.at(-1)?.key}\n`);
      return;
    }
    const filter = OPTIONS.find((name) => values[name] !== undefined);
    if (filter !== undefined)
      throw new CommandError(`--${filter} is for level data: here are versions of one key.`, 2);
    const lines = versions.map(({ keyId, keyVersion, created, ends }, i) => {
      const said = ends === undefined ? (i === 0 ? "  newest" : "") : `  will be deleted ${dateOf(ends)}`;
      return `${keyId}.${keyVersion}  ${dateOf(created)}${said}`;
    });
    tell(json, lines.join("\n"), versions);
  },
  async create(client, values) {
    const account = values.own ? undefined : accountOf(client, values.account);
    const made = await client.managed.create(account, orderOf(values));
    tell(values.json, made.map(({ edk }) => edk).join("\n"), made);
  },
  async describe(client, values, [key = ""]) {
    const known = await client.managed.describe(keysOf(client, values), key);
    tell(values.json, lineOf(known), known);
  },
  async tag(client, values, [key = "", ...tags]) {
    const known = await client.managed.change(keysOf(client, values), key, { tags: tagsOf(tags) });
    tell(values.json, lineOf(known), known);
  },
  disable: (client, values, [key = ""]) => turn(client, values, key, "disabled"),
  enable: (client, values, [key = ""]) => turn(client, values, key, "enabled"),
  async rotate(client, { account, json, by }, [file]) {
    if (file !== undefined) {
      const next = await client.managed.rotate(await readEdk(file));
      return tell(json, next.edk, next);
    }
    const made = await client.life.rotateDataKey(accountOf(client, account), { by: makerOf(by) });
    tell(json, `${made.keyId}.${made.keyVersion}`, made);
  },
  async delete(client, values, [key = ""]) {
    const { json, immediately } = values;
    const of = keysOf(client, values);
    if ("account" in of && (await isOfAccount(client, of, key))) {
      const ends = await client.life.deleteDataKey(of.account, key, deletionOf(values));
      return tell(json, immediately ? `${key} is deleted.` : `${key} will be deleted ${dateOf(ends)}.`, {
        key,
        ends,
      });
    }
    if (immediately) throw new CommandError(`${key} is not a version that is deleted at once: say --days.`);
    const ends = endIn(deletionOf(values).days);
    await client.managed.change(of, key, { ends });
    tell(json, `${key} will be deleted ${dateOf(ends)}.`, { key, ends });
  },
  async cancel(client, values, [key = ""]) {
    const of = keysOf(client, values);
    if ("account" in of && (await isOfAccount(client, of, key)))
      await client.life.keepDataKey(of.account, key);
    else await client.managed.change(of, key, { ends: null });
    tell(values.json, `${key} is kept.`, { key });
  },
};

function keysOf(client: Client, { own, account }: LifeValues): KeysOf {
  return own ? { own: true } : { account: accountOf(client, account) };
}

async function turn(client: Client, values: LifeValues, key: string, state: "enabled" | "disabled") {
  const known = await client.managed.change(keysOf(client, values), key, { state });
  tell(values.json, lineOf(known), known);
}
