import { CofferError } from "#protocol/error.ts";
import { CommandError } from "./command-error.ts";

const HELP = `coffer: client-side encryption with keys from a KMIP HSM

Usage: coffer COMMAND [options]

  start           run everything on this machine: HSM emulator, edge worker, document page
  init            make a deployment's keys in its HSM
  hsm             run the HSM emulator alone, for any KMIP client
  seal FILE …     encrypt files here and store what comes out
  open DOCUMENT   fetch a document, decrypt it here and write it to a file
  list            the documents, newest first
  export          take all documents out, plain or under a key of your own

coffer COMMAND --help tells a command's options and gives examples.
`;

type Command = { run: (args: string[]) => Promise<number>; help: string };

/** Each command is loaded when it is called: \`--help\` needs none of what they import. */
const COMMANDS: Record<string, () => Promise<Command>> = {
  start: async () => {
    const { start, START_HELP } = await import("./start.ts");
    return { run: start, help: START_HELP };
  },
  init: async () => {
    const { init, INIT_HELP } = await import("./init.ts");
    return { run: init, help: INIT_HELP };
  },
  hsm: async () => {
    const { hsm, HSM_HELP } = await import("./hsm.ts");
    return { run: hsm, help: HSM_HELP };
  },
  seal: async () => {
    const { seal, SEAL_HELP } = await import("./seal.ts");
    return { run: seal, help: SEAL_HELP };
  },
  open: async () => {
    const { open, OPEN_HELP } = await import("./open.ts");
    return { run: open, help: OPEN_HELP };
  },
  list: async () => {
    const { list, LIST_HELP } = await import("./list.ts");
    return { run: list, help: LIST_HELP };
  },
  export: async () => {
    const { exportAll, EXPORT_HELP } = await import("./export.ts");
    return { run: exportAll, help: EXPORT_HELP };
  },
};

/** Runs one command line; resolves with the exit code: 0 done, 1 failed, 2 the command line is wrong. */
export async function main(args: string[]): Promise<number> {
  const [name, ...rest] = args;
  if (name === undefined || name === "help" || name === "--help" || name === "-h") {
    process.stdout.write(HELP);
    return name === undefined ? 2 : 0;
  }
  const load = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (!load) {
    process.stderr.write(`coffer: there is no command '${name}'.\n\n${HELP}`);
    return 2;
  }
  const command = await load();
  if (rest.includes("--help") || rest.includes("-h")) {
    process.stdout.write(command.help);
    return 0;
  }
  try {
    return await command.run(rest);
  } catch (error) {
    return report(error);
  }
}

/** One sentence for what the user can mend; everything else with its stack, since it is a bug of ours. */
function report(error: unknown): number {
  if (error instanceof CommandError) {
    process.stderr.write(`${error.message}\n`);
    return error.exitCode;
  }
  if (error instanceof CofferError && error.code !== "internal") {
    process.stderr.write(`${error.message} [${error.code}]\n`);
    return 1;
  }
  if (error instanceof DOMException && error.name === "AbortError") {
    process.stderr.write("Cancelled; nothing was left behind.\n");
    return 1;
  }
  if (error instanceof TypeError && "code" in error && String(error.code).startsWith("ERR_PARSE_ARGS")) {
    process.stderr.write(`${error.message} Try --help.\n`);
    return 2;
  }
  console.error(error);
  return 1;
}
