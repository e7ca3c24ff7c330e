import type { LogLine } from "#emulator/hsm/index.ts";

/**
 * A line of the HSM's log for a terminal. What is more than a plain word is quoted, and what is not printable ASCII is
 * escaped: values may come from a client, which must not begin a line of its own or move the cursor.
 */
export function logText({ event, ...line }: LogLine, time: Date): string {
  const words = Object.entries(line)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${word(String(value))}`);
  return [time.toISOString(), word(String(event)), ...words].join(" ");
}

function word(text: string): string {
  if (/^[\w.:/@+-]+$/.test(text)) return text;
  return JSON.stringify(text).replace(
    /[^\x20-\x7e]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
