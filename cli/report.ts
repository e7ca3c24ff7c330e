import { sentenceOf } from "#files/index.ts";
import { CofferError } from "#protocol/error.ts";
import { messageOf } from "#web/client/error.ts";
import { CommandError } from "./command-error.ts";
import { outputError, readerHasEnded } from "./output.ts";

/**
 * Says on standard error why a command failed, and gives its exit code: one sentence for what the user can mend;
 * everything else with its stack, since it is a bug of ours.
 */
export function report(error: unknown): 1 | 2 {
  const [sentence, code] = sentenceFor(error);
  if (sentence === undefined) console.error(error);
  else process.stderr.write(`${sentence}\n`);
  return code;
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
export function reportLostOutput(): void {
  let lost: unknown;
  process.stderr.on("error", () => {});
  process.stdout.on("error", (error) => (lost ??= error));
  process.on("exit", (code) => {
    if (code === 0 && lost !== undefined && !readerHasEnded(lost))
      process.exitCode = report(outputError(lost));
  });
}

/** For a script whose work stands at the top level: what it throws ends it as `report` says, and lost output is told. */
export function reportUncaught(): void {
  process.on("uncaughtException", (error) => process.exit(report(error)));
  reportLostOutput();
}
