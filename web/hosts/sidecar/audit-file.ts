/**
 * The sidecar's audit file: a JSON object a line, each with the hash of the line before, so that a line that was changed or taken
 * out shows. Whoever may write the file can write all of it anew: an operator ships its lines elsewhere.
 */

import { createHash } from "node:crypto";
import { closeSync, fdatasyncSync, ftruncateSync, openSync, readFileSync, writeSync } from "node:fs";
import { CofferError } from "#protocol/error.ts";

/** What a decision was about. No header, no body, no key. */
export type AuditRow = {
  /** Distinguished Name of the caller. */
  peer: string;
  method: string;
  path: string;
  decision: "allow" | "deny";
  /** Why not; for the operator alone. */
  reason?: string;
};

export type AuditFile = {
  /** Written and synced when it returns. Throws where it cannot be: then nothing may happen. */
  append(row: AuditRow, now: number): void;
  close(): void;
};

const START = "0".repeat(64);

/** Opens the file, with mode 0600, and goes on from its last line. Error: `store-too-new` for one that is no audit file. */
export function openAuditFile(path: string): AuditFile {
  const file = openSync(path, "a+", 0o600);
  const text = readFileSync(path, "utf8");
  const { count, last } = chainOf(text);
  // Of a line that a crash cut off.
  ftruncateSync(file, Buffer.byteLength(text.slice(0, text.lastIndexOf("\n") + 1)));
  let [sequence, previous] = [count, last];
  return {
    append(row, now) {
      const line = JSON.stringify({ sequence, time: new Date(now).toISOString(), ...row, previous });
      writeSync(file, `${line}\n`);
      fdatasyncSync(file);
      previous = hashOf(line);
      sequence++;
    },
    close: () => closeSync(file),
  };
}

/** How many lines hold together. Error: `store-too-new` where one does not follow from the one before. */
export function verifyAuditFile(path: string): number {
  return chainOf(readFileSync(path, "utf8")).count;
}

function chainOf(text: string): { count: number; last: string } {
  let [count, last] = [0, START];
  // A line that was cut off by a crash was never acted upon.
  for (const line of text.split("\n").slice(0, -1)) {
    const row: unknown = JSON.parse(line);
    if (typeof row !== "object" || !row || !("previous" in row) || row.previous !== last)
      throw new CofferError("store-too-new", { message: `line ${count + 1} does not follow` });
    last = hashOf(line);
    count++;
  }
  return { count, last };
}

function hashOf(line: string): string {
  return createHash("sha256").update(line).digest("hex");
}
