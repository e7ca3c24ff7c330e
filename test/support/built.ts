/** What was built of some sources, kept in a folder for as long as these are the same bytes. */

import { createHash } from "node:crypto";
import { globSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { deserialize, serialize } from "node:v8";

export type Kept = {
  /** Where it is kept. */
  folder: string;
  /** Folder of the sources, and which these are. */
  root: string;
  sources: string[];
};

/** What was built under this name before, of these bytes, or is built now. */
export async function once<T>(kept: Kept, name: string, build: () => Promise<T>): Promise<T> {
  const before = digestOf(kept);
  const path = join(kept.folder, `${name}-${before}`);
  try {
    return deserialize(readFileSync(path)) as T;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
  const built = serialize(await build());
  // Of sources that were changed meanwhile it is of neither digest.
  if (digestOf(kept) === before) {
    // Whole, or not there: other processes build and look at the same time.
    const own = `${path}.${process.pid}`;
    writeFileSync(own, built);
    renameSync(own, path);
  }
  return deserialize(built) as T;
}

function digestOf({ root, sources }: Kept): string {
  const hash = createHash("sha256");
  const found = globSync(sources, { cwd: root, withFileTypes: true }).filter((entry) => entry.isFile());
  for (const path of found.map(({ parentPath, name }) => join(parentPath, name)).toSorted())
    hash.update(`${path}\0`).update(createHash("sha256").update(readFileSync(path)).digest());
  return hash.digest("hex");
}
