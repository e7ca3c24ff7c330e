import { parseArgs } from "node:util";
import type { DescribedKey, DescribedUserKey } from "#protocol/contract/index.ts";
import { isPrincipalId, principalId } from "#protocol/principal.ts";
import { groupName, isTenantRole, TENANT_ROLES } from "#protocol/roles.ts";
import { fits } from "#protocol/shape.ts";
import type { GroupMember } from "#web/client/administration.ts";
import type { Client } from "./client.ts";
import { CommandError } from "./command-error.ts";
import { filterOf, isVersion, lineOf, tagsOf } from "./data-key.ts";
import { BY_NAME } from "./development-issuer.ts";
import { deletionOf, endIn } from "./life.ts";
import { tell } from "./output.ts";
import { COFFER } from "./parts/index.ts";
import { SESSION_HELP, sessionOptions, withClient } from "./session-options.ts";
import { shown } from "./shown.ts";

export const ADMIN_HELP = `coffer admin standing: what you are to the tenant, for everybody

coffer admin role list
coffer admin role add ROLE USER, or remove ROLE USER: who administers the tenant (admin), who reads its audit log (auditor)

coffer admin group list [GROUP]
coffer admin group add GROUP USER, or remove GROUP USER: groups of people, which policies speak of

coffer admin instance list USER
coffer admin instance revoke USER ID: no key is released to that microservice of theirs any more; their others go on

coffer admin key list USER [--state STATE] [--purpose PURPOSE] [--tag NAME]: keys of the tenant itself that they have ordered,
each with its state, how often and when it was last used, and its tags
coffer admin key describe USER KEY: one of them
coffer admin key tag USER KEY NAME=VALUE …: has it bear these tags and no others
coffer admin key disable USER KEY, or enable USER KEY: given to nobody until it is enabled
coffer admin key delete USER KEY [--days N], or cancel USER KEY: given to nobody from then on, and gone on its day

What an admin has disabled or deleted who has ordered the key cannot bring back, nor an admin what that one has.

coffer admin quota show ACCOUNT
coffer admin quota set ACCOUNT [--documents N] [--bytes N]: what the account may use, which is no more than the deployment
allows; what is left out is as the deployment has it

The first admins are named by the deployment's setting (admins in COFFER_TENANTS; here \`coffer start --admin NAME\`). What is
given or taken holds from the next request on, and is in the audit log. An admin opens nobody's documents.

  --json        one JSON value on standard output
  --state S     with key list: enabled, disabled, or ending
  --purpose P   with key list: made for that
  --tag NAME    with key list: those that bear it
  --days N      with key delete: when, in 7 to 30 days       (30)
  USER          a user's id of 32 characters, or the subject at its issuer
  --issuer URL  whose subject that is                  (development: the name signed in with)
${SESSION_HELP}
Exit code: 0 done, 1 not, 2 the command line is wrong.

Examples: ${COFFER} admin role add auditor grace --user ada
          ${COFFER} admin group list staff --user ada
          ${COFFER} admin quota set ACCOUNT --documents 1000 --user ada
`;

/** `coffer admin` */
export async function admin(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      ...sessionOptions,
      issuer: { type: "string", default: BY_NAME },
      documents: { type: "string" },
      bytes: { type: "string" },
      days: { type: "string" },
      state: { type: "string" },
      purpose: { type: "string" },
      tag: { type: "string" },
      json: { type: "boolean" },
    },
  });
  const [what = "", verb = "", ...rest] = positionals;
  const name = [what, verb].join(" ").trimEnd();
  const work = Object.hasOwn(WORK, name) ? WORK[name] : undefined;
  if (work === undefined)
    throw new CommandError(
      "coffer admin: say standing, or role, group, instance, key or quota, and what. Try --help.",
      2,
    );
  const { issuer } = values;
  const quota = quotaOf(values);
  if (name !== "quota set" && Object.keys(quota).length > 0)
    throw new CommandError("--documents and --bytes go with `coffer admin quota set`.", 2);
  const { days } = deletionOf(values);
  if (name !== "key delete" && values.days !== undefined)
    throw new CommandError("--days goes with `coffer admin key delete`.", 2);
  const filter = filterOf(values);
  if (name !== "key list" && Object.keys(filter).length > 0)
    throw new CommandError("--state, --purpose and --tag go with `coffer admin key list`.", 2);
  const options = { issuer, quota, days, filter };
  const { lines = [], value } = await withClient(values, (client) => work(client, rest, options));
  tell(values.json, lines.join("\n"), value);
  return 0;
}

type Options = {
  issuer: string;
  days: number | undefined;
  quota: { documents?: number; bytes?: number };
  filter: ReturnType<typeof filterOf>;
};
/** What was found, for a person in lines, or what was done. */
type Answer = { lines?: string[]; value: unknown };
type Work = (client: Client, rest: string[], options: Options) => Promise<Answer>;

const WORK: Readonly<Record<string, Work>> = {
  standing: async ({ administration }) => {
    const value = await administration.standing();
    return { lines: value.roles.length > 0 ? [...value.roles] : ["no role"], value };
  },
  "role list": async ({ administration }, rest) => {
    expectNone(rest);
    const roles = await administration.roles();
    return {
      lines: roles.map(({ user, role, since }) => `${user}  ${dateOf(since)}  ${role}`),
      value: roles,
    };
  },
  "role add": (client, rest, { issuer }) => changeRole(client, rest, issuer, "grantRole"),
  "role remove": (client, rest, { issuer }) => changeRole(client, rest, issuer, "withdrawRole"),
  "group list": async ({ administration }, [group, ...rest]) => {
    expectNone(rest);
    if (group === undefined) {
      const groups = await administration.groups();
      const lines = groups.map(({ group, members }) => `${String(members).padStart(6)}  ${group}`);
      return { lines, value: groups };
    }
    const members: GroupMember[] = [];
    for await (const member of administration.group(groupOf(group))) members.push(member);
    return { lines: members.map(({ user, since }) => `${user}  ${dateOf(since)}`), value: members };
  },
  "group add": (client, rest, { issuer }) => changeGroup(client, rest, issuer, "addToGroup"),
  "group remove": (client, rest, { issuer }) => changeGroup(client, rest, issuer, "removeFromGroup"),
  "instance list": async (client, [user = "", ...rest], { issuer }) => {
    expectNone(rest);
    const listed = await client.administration.userInstances(await userOf(client, user, issuer));
    const lines = listed.map(
      ({ id, status, tier, notAfter, origin }) =>
        `${id}  ${status.padEnd(7)}  ${tier.padEnd(8)}  ${dateOf(notAfter)}  ${shown(origin)}`,
    );
    return { lines, value: listed };
  },
  "instance revoke": async (client, [user = "", id, ...rest], { issuer }) => {
    expectNone(rest);
    if (id === undefined) throw new CommandError("Say whose instance, and its id. Try --help.", 2);
    const of = await userOf(client, user, issuer);
    await client.administration.revokeUserInstance(of, id);
    return { value: { user: of, instance: id } };
  },
  "key list": async (client, [user = "", ...rest], { issuer, filter }) => {
    expectNone(rest);
    const { keys } = await client.managed.list({ user: await userOf(client, user, issuer) }, filter);
    return { lines: keys.map(keyLine), value: keys };
  },
  "key describe": async (client, [user = "", key = "", ...rest], { issuer }) => {
    expectNone(rest);
    const value = await client.managed.describe(await keyOf(client, user, key, issuer), key);
    return { lines: [keyLine(value)], value };
  },
  "key tag": async (client, [user = "", key = "", ...tags], { issuer }) => {
    const wanted = tagsOf(tags);
    const value = await client.managed.change(await keyOf(client, user, key, issuer), key, { tags: wanted });
    return { lines: [keyLine(value)], value };
  },
  "key disable": (client, rest, { issuer }) => turnKey(client, rest, issuer, "disabled"),
  "key enable": (client, rest, { issuer }) => turnKey(client, rest, issuer, "enabled"),
  "key delete": (client, rest, { issuer, days }) => endKey(client, rest, issuer, endIn(days)),
  "key cancel": (client, rest, { issuer }) => endKey(client, rest, issuer, null),
  "quota show": async ({ administration }, rest) => {
    const value = await administration.quota(accountIn(rest));
    const { used, quota, most, set } = value;
    const line = (what: "documents" | "bytes") =>
      `${what.padEnd(9)}  ${used[what]} of ${quota[what]}${quota[what] < most[what] ? ` (the deployment allows ${most[what]})` : ""}`;
    const by = set ? [`set by ${set.by}  ${dateOf(set.since)}`] : [];
    return { lines: [line("documents"), line("bytes"), ...by], value };
  },
  "quota set": async ({ administration }, rest, { quota }) => {
    const account = accountIn(rest);
    await administration.setQuota(account, quota);
    return { value: { account, ...quota } };
  },
};

function quotaOf(values: { documents?: string | undefined; bytes?: string | undefined }): Options["quota"] {
  const quota: Options["quota"] = {};
  for (const name of ["documents", "bytes"] as const) {
    const text = values[name];
    if (text === undefined) continue;
    if (!/^\d{1,15}$/.test(text)) throw new CommandError(`--${name} takes a whole number.`, 2);
    quota[name] = Number(text);
  }
  return quota;
}

function accountIn([account, ...rest]: string[]): string {
  expectNone(rest);
  if (account === undefined) throw new CommandError("Say which account. Try --help.", 2);
  return account;
}

async function changeRole(
  client: Client,
  [role = "", user = "", ...rest]: string[],
  issuer: string,
  change: "grantRole" | "withdrawRole",
): Promise<Answer> {
  expectNone(rest);
  if (!isTenantRole(role)) throw new CommandError(`A role is ${TENANT_ROLES.join(" or ")}.`, 2);
  const id = await userOf(client, user, issuer);
  await client.administration[change](role, id);
  return { value: { role, user: id } };
}

async function changeGroup(
  client: Client,
  [group = "", user = "", ...rest]: string[],
  issuer: string,
  change: "addToGroup" | "removeFromGroup",
): Promise<Answer> {
  expectNone(rest);
  const [name, id] = [groupOf(group), await userOf(client, user, issuer)];
  await client.administration[change](name, id);
  return { value: { group: name, user: id } };
}

async function endKey(
  client: Client,
  [user = "", key = "", ...rest]: string[],
  issuer: string,
  ends: number | null,
): Promise<Answer> {
  expectNone(rest);
  const of = await keyOf(client, user, key, issuer);
  await client.managed.change(of, key, { ends });
  return { value: { ...of, key, ends } };
}

async function turnKey(
  client: Client,
  [user = "", key = "", ...rest]: string[],
  issuer: string,
  state: "enabled" | "disabled",
): Promise<Answer> {
  expectNone(rest);
  const value = await client.managed.change(await keyOf(client, user, key, issuer), key, { state });
  return { lines: [keyLine(value)], value };
}

/** Whose it is. Errors: `CommandError` for what is no version. */
async function keyOf(client: Client, user: string, key: string, issuer: string): Promise<{ user: string }> {
  if (!isVersion(key))
    throw new CommandError("A version is ID.NUMBER, as `coffer admin key list` has it.", 2);
  return { user: await userOf(client, user, issuer) };
}

/** With when it was last used, and in which app it was ordered. */
function keyLine(known: DescribedKey | DescribedUserKey): string {
  const { lastReleased } = known;
  const last = lastReleased === undefined ? "never used" : `last used ${dateOf(lastReleased)}`;
  const app = "client" in known ? [shown(known.client)] : [];
  return [lineOf(known), last, ...app].join("  ");
}

/** A subject is found by no directory: its id follows from it. */
async function userOf({ identity: { tenant } }: Client, user: string, issuer: string): Promise<string> {
  if (user === "") throw new CommandError("Say which user. Try --help.", 2);
  return isPrincipalId(user) ? user : principalId({ tenant, issuer, subject: user });
}

function groupOf(text: string): string {
  if (fits(groupName, text)) return text;
  throw new CommandError("A group's name is up to 63 lower-case letters, digits and hyphens.", 2);
}

function expectNone([first]: string[]): void {
  if (first !== undefined) throw new CommandError(`coffer admin: '${first}' is one too many.`, 2);
}

function dateOf(since: number): string {
  return new Date(since * 1000).toISOString().slice(0, 16);
}
