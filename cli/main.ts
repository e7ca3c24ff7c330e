import { START_HELP, start } from "./start.ts";

const HELP = `coffer: client-side encryption with keys from a KMIP HSM

Usage: coffer COMMAND [options]

  start     run everything on this machine: HSM emulator, edge worker, document page

coffer COMMAND --help tells a command's options.
`;

/** Runs one command line; resolves with the exit code. */
export async function main(args: string[]): Promise<number> {
  const [command, ...rest] = args;
  if (command === undefined || command === "help" || command === "--help" || command === "-h") {
    process.stdout.write(HELP);
    return command === undefined ? 2 : 0;
  }
  if (command === "start") {
    if (rest.includes("--help")) {
      process.stdout.write(START_HELP);
      return 0;
    }
    return await start(rest);
  }
  process.stderr.write(`coffer: there is no command '${command}'.\n\n${HELP}`);
  return 2;
}
