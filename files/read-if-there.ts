import { readFile } from "node:fs/promises";
import { isSystemError } from "./system-error.ts";

/** A text file, UTF-8; undefined where there is none. Throws what reading throws otherwise. */
export async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (isSystemError(error) && error.code === "ENOENT") return undefined;
    throw error;
  }
}
