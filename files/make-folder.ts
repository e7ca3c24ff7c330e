import { mkdirSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";

/** Makes a folder, and those above it, for its owner alone, unless it exists. Errors are the system's own. */
export function makeFolder(dir: string): void {
  // One by one: Node's own recursion tries for ever where the system says ENOENT of a folder that it lets nobody make
  // (below /proc), and tells a read-only file system by that code too.
  const missing: string[] = [];
  for (let path = resolve(dir); !isFolder(path) && dirname(path) !== path; path = dirname(path))
    missing.unshift(path);
  for (const path of missing) {
    try {
      mkdirSync(path, { mode: 0o700 });
    } catch (error) {
      // Another process may have made it meanwhile.
      if ((error as NodeJS.ErrnoException).code !== "EEXIST" || !isFolder(path)) throw error;
    }
  }
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    return false;
  }
}
