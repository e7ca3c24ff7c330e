/** Checkpoints that a gatherer has taken and nobody else has yet. */

import { type Checkpoint, checkpointText, parseCheckpoint } from "#protocol/audit/index.ts";
import type { Result } from "../result.ts";
import { MAX_CHECKPOINTS } from "./gathering.ts";

export const SCHEMA = `
  CREATE TABLE IF NOT EXISTS waiting (number INTEGER PRIMARY KEY, checkpoint TEXT NOT NULL) STRICT;
`;

/** In one transaction. */
export function keep(sql: SqlStorage, checkpoints: Checkpoint[]): void {
  for (const checkpoint of checkpoints)
    sql.exec("INSERT INTO waiting (checkpoint) VALUES (?)", checkpointText(checkpoint));
}

/**
 * Tells all of them in the order in which they came, and forgets what was heard: at least once. Answers the first problem, which
 * leaves the rest where it is.
 */
export async function passOn(
  sql: SqlStorage,
  tell: (checkpoints: Checkpoint[]) => Promise<Result<null>>,
): Promise<Result<null>> {
  for (;;) {
    const page = sql
      .exec<{ number: number; checkpoint: string }>(
        "SELECT number, checkpoint FROM waiting ORDER BY number LIMIT ?",
        MAX_CHECKPOINTS,
      )
      .toArray();
    const last = page.at(-1);
    if (last === undefined) return { ok: true, value: null };
    const told = await tell(
      page.map(({ checkpoint }) => parseCheckpoint(checkpoint)).filter((one) => one !== null),
    );
    if (!told.ok) return told;
    sql.exec("DELETE FROM waiting WHERE number <= ?", last.number);
  }
}
