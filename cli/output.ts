import { sentenceOf } from "#files/index.ts";
import { CommandError } from "./command-error.ts";
import { jsonLine } from "./json-line.ts";

/** Writes to standard output; resolves when it has been taken. Error: `CommandError` when nobody takes it any more. */
export function print(content: string | Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(content, (error) => (error ? reject(outputError(error)) : resolve()));
  });
}

/** A text, which is nothing where it is empty, or with --json the value in a line. */
export function tell(json: boolean | undefined, text: string, value: unknown): void {
  process.stdout.write(json ? jsonLine(value) : text === "" ? "" : `${text}\n`);
}

/** Why an output takes no more, in a sentence. */
export function outputError(error: unknown): CommandError {
  if (readerHasEnded(error))
    return new CommandError("What reads the output has ended, and not all of it was written.", 1, error);
  return new CommandError(sentenceOf(error) ?? "The output cannot be written.", 1, error);
}

/** Whether what reads an output has ended, as `| head` does. */
export function readerHasEnded(error: unknown): boolean {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return code === "EPIPE" || code === "ECONNRESET" || code === "ERR_STREAM_DESTROYED";
}
