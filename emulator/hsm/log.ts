import { createWriteStream } from "node:fs";

/** A line of the HSM's log: who did what with which object and how it ended. Never a key, never a payload. */
export type LogLine = Readonly<Record<string, string | number | undefined>>;
export type Log = (line: LogLine) => void;

/** Appends JSON lines with their time to a file of mode 0600. */
export function fileLog(path: string, now: () => Date): { log: Log; close: () => Promise<void> } {
  const file = createWriteStream(path, { flags: "a", mode: 0o600 });
  // A full disk must not stop the HSM.
  file.on("error", () => {});
  return {
    log: (line) => void file.write(`${JSON.stringify({ time: now().toISOString(), ...line })}\n`),
    close: () => new Promise((resolve) => file.end(resolve)),
  };
}
