import { parseArgs } from "node:util";
import { isPrincipalId, principalId } from "#protocol/principal.ts";
import { groupName, isTenantRole, TENANT_ROLES } from "#protocol/roles.ts";
import { fits } from "#protocol/shape.ts";
import type { Client } from "./client.ts";
import { CommandError } from "./command-error.ts";
import { BY_NAME } from "./development-issuer.ts";
import { COFFER } from "./parts/index.ts";
import { SESSION_HELP, sessionOptions, withClient } from "./session-options.ts";

export const ADMIN_HELP = `coffer admin role list
coffer admin role add ROLE USER, or remove ROLE USER: who administers the tenant (admin), who reads its audit log (auditor)

coffer admin group list [GROUP]
coffer admin group add GROUP USER, or remove GROUP USER: groups of people, which policies speak of

The first admins are named by the deployment's setting (admins in COFFER_TENANTS; here \`coffer start --admin NAME\`). What is
given or taken holds from the next request on, and is in the audit log. An admin opens nobody's documents.

  USER          a user's id of 32 characters, or the subject at its issuer
  --issuer URL  whose subject that is                  (development: the name signed in with)
${SESSION_HELP}
Exit code: 0 done, 1 not, 2 the command line is wrong.

Examples: ${COFFER} admin role add auditor grace --user ada
          ${COFFER} admin group list staff --user ada
`;

/** `coffer admin` */
export async function admin(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { ...sessionOptions, issuer: { type: "string", default: BY_NAME } },
  });
  const [what = "", verb = "", ...rest] = positionals;
  const work = WORK[`${what} ${verb}`];
  if (work === undefined)
    throw new CommandError("coffer admin: say role or group, and list, add or remove. Try --help.", 2);
  const lines = await withClient(values, (client) => work(client, rest, values.issuer));
  for (const line of lines) process.stdout.write(`${line}\n`);
  return 0;
}

type Work = (client: Client, rest: string[], issuer: string) => Promise<string[]>;

const WORK: Readonly<Record<string, Work>> = {
  "role list": async ({ administration }, rest) => {
    expectNone(rest);
    return (await administration.roles()).map(
      ({ user, role, since }) => `${user}  ${dateOf(since)}  ${role}`,
    );
  },
  "role add": (client, rest, issuer) => changeRole(client, rest, issuer, "grantRole"),
  "role remove": (client, rest, issuer) => changeRole(client, rest, issuer, "withdrawRole"),
  "group list": async ({ administration }, [group, ...rest]) => {
    expectNone(rest);
    if (group === undefined)
      return (await administration.groups()).map(
        ({ group, members }) => `${String(members).padStart(6)}  ${group}`,
      );
    const members: string[] = [];
    for await (const { user, since } of administration.group(groupOf(group)))
      members.push(`${user}  ${dateOf(since)}`);
    return members;
  },
  "group add": (client, rest, issuer) => changeGroup(client, rest, issuer, "addToGroup"),
  "group remove": (client, rest, issuer) => changeGroup(client, rest, issuer, "removeFromGroup"),
};

async function changeRole(
  client: Client,
  [role = "", user = "", ...rest]: string[],
  issuer: string,
  change: "grantRole" | "withdrawRole",
): Promise<string[]> {
  expectNone(rest);
  if (!isTenantRole(role)) throw new CommandError(`A role is ${TENANT_ROLES.join(" or ")}.`, 2);
  await client.administration[change](role, await userOf(client, user, issuer));
  return [];
}

async function changeGroup(
  client: Client,
  [group = "", user = "", ...rest]: string[],
  issuer: string,
  change: "addToGroup" | "removeFromGroup",
): Promise<string[]> {
  expectNone(rest);
  await client.administration[change](groupOf(group), await userOf(client, user, issuer));
  return [];
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
