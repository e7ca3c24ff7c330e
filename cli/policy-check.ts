import { parseArgs } from "node:util";
import { CommandError } from "./command-error.ts";
import { print } from "./output.ts";
import { type PolicyFile, readPolicyFile, readPolicyTable } from "./policy-file.ts";
import { shown } from "./shown.ts";

/** `coffer policy check FILE …` */
export async function policyCheck(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    options: { table: { type: "boolean" } },
    allowPositionals: true,
  });
  if (positionals.length === 0) throw new CommandError("coffer policy check: name a file. Try --help.", 2);
  for (const name of positionals) {
    for (const read of values.table ? await readPolicyTable(name) : [await readPolicyFile(name)])
      await print(`${shown(read.file)}: ${contents(read)}\n`);
  }
  return 0;
}

function contents({ form, rules }: PolicyFile): string {
  const denies = rules.filter(({ effect }) => effect === "deny").length;
  return form === "key" ? "a key's policy" : `${rules.length - denies} allow, ${denies} deny`;
}
