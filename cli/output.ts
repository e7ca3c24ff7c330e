import { sentenceOf } from "#files/index.ts";
import { CommandError } from "./command-error.ts";

/**
 * A reader that has ended (`| head`) or a full disk behind `>` must not end the process at an event that nobody expects:
 * what `print` writes reports its own failure, and other output is lost.
 */
export function outliveReaders(): void {
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});
}

/** Writes to standard output; resolves when it has been taken. Error: `CommandError` when nobody takes it any more. */
export function print(content: string | Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(content, (error) => (error ? reject(outputError(error)) : resolve()));
  });
}

/** Why an output takes no more, in a sentence. */
export function outputError(error: unknown): CommandError {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (code === "EPIPE" || code === "ECONNRESET" || code === "ERR_STREAM_DESTROYED")
    return new CommandError("What reads the output has ended, and not all of it was written.", 1, error);
  return new CommandError(sentenceOf(error) ?? "The output cannot be written.", 1, error);
}
