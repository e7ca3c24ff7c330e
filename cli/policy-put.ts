import { parseArgs } from "node:util";
import { CofferError } from "#protocol/error.ts";
import { CommandError } from "./command-error.ts";
import { jsonLine } from "./json-line.ts";
import { print, tell } from "./output.ts";
import { readPolicyFile } from "./policy-file.ts";
import { sessionOptions, withClient } from "./session-options.ts";
import { shown } from "./shown.ts";

/** `coffer policy show` */
export async function policyShow(args: string[]): Promise<number> {
  const { values } = parseArgs({ args, options: { ...sessionOptions, json: { type: "boolean" } } });
  const { policy, versions } = await withClient(values, ({ administration }) => administration.policy());
  if (values.json) {
    await print(jsonLine({ policy, versions }));
    return 0;
  }
  for (const { version, since, by } of versions)
    process.stderr.write(`${version}  ${new Date(since * 1000).toISOString().slice(0, 16)}  ${by}\n`);
  if (policy === null) process.stderr.write("The tenant has no policy but the deployment's.\n");
  else await print(`${shown(policy)}\n`);
  return 0;
}

/** `coffer policy put FILE`, or `--none` */
export async function policyPut(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { ...sessionOptions, none: { type: "boolean", default: false }, json: { type: "boolean" } },
  });
  const [file, ...more] = positionals;
  if ((file === undefined) !== values.none || more.length > 0)
    throw new CommandError("coffer policy put: name one file, or say --none. Try --help.", 2);
  const read = file === undefined ? undefined : await readPolicyFile(file);
  if (read !== undefined && read.form !== "statements")
    throw new CommandError(`${shown(read.file)} is a key's policy: a tenant has one of statements.`);
  const text = read?.text ?? null;
  return withClient(values, async ({ administration }) => {
    const { versions } = await administration.policy();
    const before = versions[0]?.version ?? 0;
    const version = await administration.putPolicy(before, text).catch((error: unknown) => {
      if (!(error instanceof CofferError) || error.code !== "conflict") throw error;
      throw new CommandError("Somebody has put another one meanwhile: look, and try again.", 1, error);
    });
    tell(values.json, "", { version });
    return 0;
  });
}
