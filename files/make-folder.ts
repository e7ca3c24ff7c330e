import { existsSync, mkdirSync } from "node:fs";
import { dirname } from "node:path";

/** Makes a folder, and those above it, for its owner alone, unless it exists. Errors are the system's own. */
export function makeFolder(dir: string): void {
  try {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
  } catch (error) {
    // Node says ENOENT of a read-only file system too; the folder that could not be made shows what it was.
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    let first = dir;
    while (dirname(first) !== first && !existsSync(dirname(first))) first = dirname(first);
    mkdirSync(first, { mode: 0o700 });
    mkdirSync(dir, { recursive: true, mode: 0o700 });
  }
}
