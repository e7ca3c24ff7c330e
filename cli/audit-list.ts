import { parseArgs } from "node:util";
import { CommandError } from "./command-error.ts";
import { tell } from "./output.ts";
import { sessionOptions, withClient } from "./session-options.ts";
import { shown } from "./shown.ts";

/** `coffer audit list`: one page. */
export async function auditList(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      ...sessionOptions,
      subject: { type: "string" },
      before: { type: "string" },
      all: { type: "boolean", default: false },
      json: { type: "boolean", default: false },
    },
  });
  const { subject, before, all, json } = values;
  if (all && subject !== undefined) throw new CommandError("Say --subject or --all, not both.", 2);
  return withClient(values, async ({ life, identity }) => {
    const about = all ? undefined : (subject ?? identity.user.id);
    const page = await life.audit({ subject: about, before });
    const lines = page.entries.map(({ time, action, outcome, resource }) =>
      [time.slice(0, 19), outcome.padEnd(5), shown(action), shown(resource)].join("  "),
    );
    tell(json, lines.join("\n"), page);
    if (page.before !== undefined && !json) process.stderr.write(`There is more: --before ${page.before}\n`);
    return 0;
  });
}
