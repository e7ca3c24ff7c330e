import { isUtf8 } from "node:buffer";
import { readFileSync, statSync } from "node:fs";
import { CommandError } from "./command-error.ts";
import { COMMANDS, type Command } from "./commands.ts";
import { EXIT_CODES, exitCodeLines } from "./exit-codes.ts";
import { tell } from "./output.ts";
import { COFFER } from "./parts/index.ts";
import { report, reportLostOutput, wantsJson } from "./report.ts";
import { shown } from "./shown.ts";

const HELP = `coffer: client-side encryption with keys from a KMIP HSM

Usage: ${COFFER} COMMAND [options]

  start           run everything on this machine: HSM emulator, edge worker, document page
  init            make a deployment's keys in its HSM
  rotate          give a tenant a new master key
  recovery        keep a tenant's master key outside of the HSM
  operations      say whether a tenant's data keys work inside the HSM
  hsm             run the HSM emulator alone, for any KMIP client
  seal FILE …     encrypt files here and store the result
  open DOCUMENT   fetch a document, decrypt it here and write it to a file
  list            the documents, newest first
  rename          give a document another name
  replace         save another content as the next version of a document
  versions        the versions of a document
  delete          delete documents, for good or so that they can be restored
  restore         deleted documents: list them, bring them back; or an earlier version
  finish          enter a document in the index of versions whose sealing was cut off
  re-encrypt      seal documents again under new keys
  share           let another account open a document
  unshare         end that
  shares          whom documents are shared with, and what others have shared
  account         accounts: list, create, rotate their key, delete them
  key             data keys: make, list, tag, disable, rotate, delete them
  instance        the user's microservices, and the end of one
  export          take all documents out, plain or under a key of your own
  member          say who may act for an account
  admin           say who administers the tenant, and who is in its groups
  client          application servers as clients of their own
  launch          start a microservice as a process of its own
  release         sign what a build is made of, log it, and check a vault by it
  secret-zero     a credential by which one microservice may enrol
  microservice    run a microservice behind REST, for one custodian
  sidecar         run the one process that reaches a microservice
  audit           what was decided; export the log of it, and verify an export
  policy          check policies, explain what they decide, and put one on the tenant
  doctor          say what is wrong with a deployment, and what to do
  completion      completion of this command for bash, zsh or fish
  help            this; help COMMAND as COMMAND --help; help exit-codes

${COFFER} COMMAND --help tells a command's options and gives examples. With --json a command prints JSON, one value a line, and
says an error as {"error": {"code", "message", "exit"}} in the last line of standard error.

Exit codes:
${exitCodeLines()}`;

/** Runs one command line; resolves with the exit code: 0 done, 1 failed, 2 the command line is wrong. */
export async function main(args: string[]): Promise<number> {
  const json = wantsJson(args);
  reportLostOutput(json);
  const [name, ...rest] = args;
  if (name === undefined || name === "--help" || name === "-h") {
    process.stdout.write(HELP);
    return name === undefined ? 2 : 0;
  }
  try {
    if (name === "help")
      return await help(
        rest.filter((arg) => arg !== "--json"),
        json,
      );
    const load = loaderOf(name);
    if (!load) {
      if (json) throw noCommand(name);
      process.stderr.write(`${noCommand(name).message}\n\n${HELP}`);
      return 2;
    }
    const command = await load();
    if (rest.includes("--help") || rest.includes("-h")) {
      process.stdout.write(command.help);
      return 0;
    }
    refuseUnreadableNames(args);
    return await command.run(rest);
  } catch (error) {
    return report(error, json);
  }
}

/** `coffer help`, of a command or of the exit codes. */
async function help([topic, ...more]: string[], json: boolean): Promise<number> {
  if (more.length > 0) throw new CommandError("coffer help takes one command, or exit-codes.", 2);
  if (topic === "exit-codes") tell(json, exitCodeLines().trimEnd(), EXIT_CODES);
  else {
    const load = topic === undefined ? undefined : loaderOf(topic);
    if (topic !== undefined && load === undefined) throw noCommand(topic);
    const text = load === undefined ? HELP : (await load()).help;
    tell(json, text.trimEnd(), { help: text });
  }
  return 0;
}

function loaderOf(name: string): (() => Promise<Command>) | undefined {
  return Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
}

function noCommand(name: string): CommandError {
  return new CommandError(`coffer: there is no command '${shown(name)}'.`, 2);
}

/**
 * Names that are not UTF-8 reach us with replacement characters in them, and would be those of other files. What was
 * typed is told from what was replaced by the bytes of the command line, where the system shows them.
 */
function refuseUnreadableNames(args: readonly string[]): void {
  const replaced = args.find((argument) => argument.includes("\ufffd"));
  if (replaced !== undefined && !isUtf8(commandLine()))
    throw new CommandError(
      `'${shown(replaced)}' is not UTF-8: give the file a name that is, and try again.`,
      2,
    );
  const here = process.cwd();
  if (here.includes("\ufffd") && statSync(here, { throwIfNoEntry: false })?.ino !== statSync(".").ino)
    throw new CommandError(`The name of the folder ${shown(here)} is not UTF-8: work in another one.`);
}

function commandLine(): Buffer {
  try {
    return readFileSync("/proc/self/cmdline");
  } catch {
    return Buffer.of();
  }
}
