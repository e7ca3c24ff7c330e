/** The leaves of the log: how far a source's chain had come. */

import { parseJson } from "../json.ts";
import { base64url, fits, line, object, type Shape, whole } from "../shape.ts";

/** Characters of a source's name. */
export const MAX_SOURCE = 256;

/**
 * `source`: the domain, or `<domain>/<object>`. `epoch`: of the outbox that the entry at `sequence` came from. `head`: the
 * hash of that link, base64url.
 */
export type Checkpoint = { source: string; epoch: string; sequence: number; head: string };

const checkpoint: Shape<Checkpoint> = object({
  epoch: line(64),
  head: base64url(32),
  sequence: whole(1),
  source: line(MAX_SOURCE),
});

/** The one text of a checkpoint, which is hashed: members sorted by name, no white space (RFC 8785). */
export function checkpointText({ epoch, head, sequence, source }: Checkpoint): string {
  return JSON.stringify({ epoch, head, sequence, source });
}

/** Reads what `checkpointText` writes; null for every other text. */
export function parseCheckpoint(text: string): Checkpoint | null {
  try {
    const value = parseJson(text);
    return fits(checkpoint, value) && checkpointText(value) === text ? value : null;
  } catch {
    return null;
  }
}

/** What a checkpoint is to the last one of its source: `next`, the `same` again, or one that goes `back` or aside. */
export function succession(
  last: Pick<Checkpoint, "sequence" | "head"> | undefined,
  checkpoint: Pick<Checkpoint, "sequence" | "head">,
): "next" | "same" | "back" {
  if (last === undefined || checkpoint.sequence > last.sequence) return "next";
  return checkpoint.sequence === last.sequence && checkpoint.head === last.head ? "same" : "back";
}
