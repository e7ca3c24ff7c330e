/** Where a folder of `coffer start` keeps the edge's state: of one worker, or of the units of split operation. */
import { existsSync } from "node:fs";
import { join } from "node:path";

const WHOLE = "edge";
const SPLIT = "units";

export type StateFolder = { path: string; split: boolean };

/** What the folder has, or null where nothing has run. */
export function stateFolderOf(dir: string): StateFolder | null {
  for (const [name, split] of [
    [SPLIT, true],
    [WHOLE, false],
  ] as const)
    if (existsSync(join(dir, name))) return { path: join(dir, name), split };
  return null;
}

export function newStateFolder(dir: string, split: boolean): StateFolder {
  return { path: join(dir, split ? SPLIT : WHOLE), split };
}
