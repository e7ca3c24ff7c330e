import { sentenceOf } from "#files/index.ts";
import { CofferError, codeOf } from "#protocol/error.ts";
import { messageOf } from "#web/client/error.ts";
import { CommandError } from "./command-error.ts";
import { jsonLine } from "./json-line.ts";
import { outputError, readerHasEnded } from "./output.ts";

/** Whether a command line asks for JSON: `--json` as an option. What stands behind `--` is none. */
export function wantsJson(args: readonly string[]): boolean {
  const end = args.indexOf("--");
  return args.slice(0, end < 0 ? args.length : end).includes("--json");
}

/** An error as `--json` has it on standard error. `code`: of docs/errors.md where there is one, or one of these of the command itself. */
export type Told = { code: string; message: string; exit: 1 | 2 };

/** The line was wrong; a signal ended it; it is a bug of ours; or none of the codes that there are. */
const [COMMAND_LINE, CANCELLED, INTERNAL, FAILED] = ["command-line", "cancelled", "internal", "failed"];

/**
 * Says on standard error why a command failed, and gives its exit code: one sentence for what the user can mend;
 * everything else with its stack, since it is a bug of ours. With `json` it is one line of JSON: {"error": {code, message, exit}}.
 */
export function report(error: unknown, json = false): 1 | 2 {
  const [sentence, exit] = sentenceFor(error);
  if (json) process.stderr.write(jsonLine({ error: toldOf(error) }));
  else if (sentence === undefined) console.error(error);
  else process.stderr.write(`${sentence}\n`);
  return exit;
}

/** What a program is told of an error. */
export function toldOf(error: unknown): Told {
  const [sentence, exit] = sentenceFor(error);
  if (sentence === undefined) {
    const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return { code: INTERNAL, message: stack, exit };
  }
  return { code: exit === 2 ? COMMAND_LINE : codeFor(error), message: sentence, exit };
}

function codeFor(error: unknown): string {
  if (error instanceof CofferError) return codeOf(error);
  if (error instanceof DOMException) return CANCELLED;
  const reason = error instanceof CommandError ? error.cause : error;
  return reason instanceof Error && "code" in reason && typeof reason.code === "string"
    ? reason.code
    : FAILED;
}

function sentenceFor(error: unknown): [sentence: string | undefined, code: 1 | 2] {
  if (error instanceof CommandError) return [error.message, error.exitCode];
  if (error instanceof CofferError && error.code !== "internal")
    return [`${messageOf(error)} [${error.code}]`, 1];
  if (error instanceof DOMException && error.name === "AbortError")
    return ["Cancelled; nothing was left behind.", 1];
  if (error instanceof TypeError && "code" in error && String(error.code).startsWith("ERR_PARSE_ARGS")) {
    const [sentence = ""] = error.message.split(". ", 1);
    return [`${sentence.replace(/\.$/, "")}. Try --help.`, 2];
  }
  return [sentenceOf(error), 1];
}

/**
 * Lets no output that takes no more end the process at an event that nobody expects. Standard output that could not be written
 * (a full disk behind `>`) makes the exit code 1, with a sentence, when all is done; a reader that has ended (`| head`) wanted
 * no more of it. What `print` writes reports its own failure.
 */
export function reportLostOutput(json = false): void {
  let lost: unknown;
  process.stderr.on("error", () => {});
  process.stdout.on("error", (error) => (lost ??= error));
  process.on("exit", (code) => {
    if (code === 0 && lost !== undefined && !readerHasEnded(lost))
      process.exitCode = report(outputError(lost), json);
  });
}

/** For a script whose work stands at the top level: what it throws ends it as `report` says, and lost output is told. */
export function reportUncaught(): void {
  process.on("uncaughtException", (error) => process.exit(report(error)));
  reportLostOutput();
}
