import { parseArgs } from "node:util";
import { CommandError } from "./command-error.ts";
import { expectOneInput } from "./input.ts";
import { tell } from "./output.ts";
import { type PolicyFile, readPolicyFile, readPolicyTable } from "./policy-file.ts";
import { shown } from "./shown.ts";

/** `coffer policy check FILE …` */
export async function policyCheck(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    options: { table: { type: "boolean" }, json: { type: "boolean" } },
    allowPositionals: true,
  });
  if (positionals.length === 0) throw new CommandError("coffer policy check: name a file. Try --help.", 2);
  expectOneInput(...positionals);
  for (const name of positionals) {
    for (const read of values.table ? await readPolicyTable(name) : [await readPolicyFile(name)]) {
      const { file, form } = read;
      tell(values.json, `${shown(file)}: ${contents(read)}`, { file, form, ...counts(read) });
    }
  }
  return 0;
}

function contents(read: PolicyFile): string {
  const { allow, deny } = counts(read);
  return read.form === "key" ? "a key's policy" : `${allow} allow, ${deny} deny`;
}

function counts({ rules }: PolicyFile): { allow: number; deny: number } {
  const deny = rules.filter(({ effect }) => effect === "deny").length;
  return { allow: rules.length - deny, deny };
}
