import { parseArgs } from "node:util";
import { CommandError } from "./command-error.ts";
import { print } from "./output.ts";
import { readPolicyFile } from "./policy-file.ts";
import { shown } from "./shown.ts";

/** `coffer policy check FILE …` */
export async function policyCheck(args: string[]): Promise<number> {
  const { positionals } = parseArgs({ args, allowPositionals: true });
  if (positionals.length === 0) throw new CommandError("coffer policy check: name a file. Try --help.", 2);
  for (const name of positionals) {
    const { file, form, rules } = await readPolicyFile(name);
    const denies = rules.filter(({ effect }) => effect === "deny").length;
    const says = form === "key" ? "a key's policy" : `${rules.length - denies} allow, ${denies} deny`;
    await print(`${shown(file)}: ${says}\n`);
  }
  return 0;
}
