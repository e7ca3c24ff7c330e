import { parseArgs } from "node:util";
import { isPrincipalId, principalId } from "#protocol/principal.ts";
import { ACCOUNT_ROLES, type AccountRole } from "#protocol/roles.ts";
import type { Client } from "./client.ts";
import { CommandError } from "./command-error.ts";
import { BY_NAME } from "./development-issuer.ts";
import { jsonLine } from "./json-line.ts";
import { print, tell } from "./output.ts";
import { COFFER } from "./parts/index.ts";
import { SESSION_HELP, sessionOptions, withClient } from "./session-options.ts";
import { shown } from "./shown.ts";

export const MEMBER_HELP = `coffer member list
coffer member add USER      make somebody a member of the account, or give a member another role
coffer member remove USER   end a membership: nothing is given to that user from now on
coffer member leave         end the own membership

For owners of the account; everybody may leave, and the last owner stays. A new member opens what is there.
What a member who leaves has loaded before goes when that device locks: give the account another key where that matters.

  USER          a user's id of 32 characters, or the subject at its issuer
  --role ROLE   owner, member or reader, who opens and changes nothing       (member)
  --account ID  which account                          (the user's first)
  --issuer URL  whose subject that is                  (development: the name signed in with)
  --json        one JSON value on standard output: of list an array, else account, user and, with add, role
${SESSION_HELP}
Exit code: 0 done, 1 not, 2 the command line is wrong.

Example: ${COFFER} member add grace --role reader --user ada
`;

/** `coffer member` */
export async function member(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      ...sessionOptions,
      role: { type: "string", default: "member" },
      account: { type: "string" },
      issuer: { type: "string", default: BY_NAME },
      json: { type: "boolean", default: false },
    },
  });
  const [verb, user, ...more] = positionals;
  const role = ACCOUNT_ROLES.find((one) => one === values.role);
  if (role === undefined) throw new CommandError(`A role is ${ACCOUNT_ROLES.join(", ")}.`, 2);
  const takesUser = verb === "add" || verb === "remove";
  if (
    (!takesUser && verb !== "list" && verb !== "leave") ||
    (user !== undefined) !== takesUser ||
    more.length > 0
  )
    throw new CommandError("coffer member: say list or leave, or add or remove and a user. Try --help.", 2);
  return withClient(values, async (client) => {
    // Who leaves says what: the first account is the own one.
    if (verb === "leave" && values.account === undefined)
      throw new CommandError("coffer member leave: say which --account.", 2);
    const account = values.account ?? client.account();
    if (verb === "leave") {
      const { id: user } = client.identity.user;
      await client.members.remove(account, user);
      tell(values.json, "", { account, user });
      return 0;
    }
    if (user === undefined) return list(client, account, values.json);
    const adds = verb === "add";
    const id = await change(client, account, { user, role, issuer: values.issuer, adds });
    tell(values.json, "", { account, user: id, ...(adds && { role }) });
    return 0;
  });
}

async function list({ members }: Client, account: string, json: boolean): Promise<number> {
  const all = await members.list(account);
  if (json) await print(jsonLine(all));
  else for (const { user, role, name } of all) await print(`${user}  ${role.padEnd(6)}  ${shown(name)}\n`);
  return 0;
}

/** Answers the id of whom it was about. */
async function change(
  { members, identity }: Client,
  account: string,
  of: { user: string; role: AccountRole; issuer: string; adds: boolean },
): Promise<string> {
  const { user: named, role, issuer: at, adds } = of;
  const { tenant } = identity;
  const user = isPrincipalId(named) ? named : await principalId({ tenant, issuer: at, subject: named });
  await (adds ? members.put(account, user, role) : members.remove(account, user));
  return user;
}
