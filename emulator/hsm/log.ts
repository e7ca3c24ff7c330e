import { createWriteStream } from "node:fs";

/** A line of the HSM's log: who did what with which object and how it ended. Never a key, never a payload. */
export type LogLine = Readonly<Record<string, string | number | undefined>>;
export type Log = (line: LogLine) => void;

/** How long (ms) lines are gathered before they are written: a write for each costs as much as the operation. */
const GATHER = 50;

/** Appends JSON lines with their time to a file of mode 0600. */
export function fileLog(path: string, now: () => Date): { log: Log; close: () => Promise<void> } {
  const file = createWriteStream(path, { flags: "a", mode: 0o600 });
  // A full disk must not stop the HSM.
  file.on("error", () => {});
  let gathered = "";
  let timer: NodeJS.Timeout | undefined;
  const write = () => {
    timer = undefined;
    file.write(gathered);
    gathered = "";
  };
  return {
    log: (line) => {
      gathered += `${JSON.stringify({ time: now().toISOString(), ...line })}\n`;
      timer ??= setTimeout(write, GATHER);
    },
    close: () => {
      clearTimeout(timer);
      if (gathered) write();
      return new Promise((resolve) => file.end(resolve));
    },
  };
}
