import { parseArgs } from "node:util";
import { CommandError } from "./command-error.ts";
import { dateOf, exactly, JSON_HELP_LINE, tell } from "./life.ts";
import { COFFER } from "./parts/index.ts";
import { SESSION_HELP, sessionOptions, withClient } from "./session-options.ts";
import { shown } from "./shown.ts";

export const INSTANCE_HELP = `coffer instance list        the user's microservices, newest first: id, status, tier, until when, app
coffer instance revoke ID   no key is released to it any more; the others go on

${JSON_HELP_LINE}
${SESSION_HELP}
Exit code: 0 done, 1 not, 2 the command line is wrong.

Example: ${COFFER} instance list --user ada
`;

/** `coffer instance` */
export async function instance(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { ...sessionOptions, json: { type: "boolean", default: false } },
  });
  const [verb = "", ...rest] = positionals;
  if (verb !== "list" && verb !== "revoke")
    throw new CommandError("coffer instance: say list or revoke. Try --help.", 2);
  const [id = ""] = exactly(`instance ${verb}`, rest, ...(verb === "revoke" ? ["an id"] : []));
  const { json } = values;
  await withClient(values, async ({ life }) => {
    if (verb === "revoke") {
      await life.revokeInstance(id);
      return tell(json, `${id} is revoked.`, { instance: id });
    }
    const instances = await life.instances();
    const lines = instances.map(
      ({ id, status, tier, notAfter, origin }) =>
        `${id}  ${status.padEnd(7)}  ${tier.padEnd(8)}  ${dateOf(notAfter)}  ${shown(origin)}`,
    );
    tell(json, lines.join("\n"), instances);
  });
  return 0;
}
