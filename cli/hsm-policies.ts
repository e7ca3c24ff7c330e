import { readFile, stat } from "node:fs/promises";
import { type OperationPolicy, parsePolicies } from "#emulator/hsm/index.ts";
import { CommandError } from "./command-error.ts";
import { documentPath } from "./document-path.ts";
import { INPUT, readInput } from "./input.ts";

/** In the folder of keys and objects, where no other file is named. */
export const POLICIES_FILE = "policies.json";

/** Reads a file of operation policies. `absent` is what to take where there is none. */
export async function readPolicies(
  file: string,
  { absent }: { absent?: Record<string, OperationPolicy> } = {},
): Promise<Record<string, OperationPolicy>> {
  const wrong = (what: string) =>
    new CommandError(`${file}: ${what}. ${documentPath("kmip-hsm.md")} shows a file of operation policies.`);
  const parsed = (text: string) => {
    try {
      return parsePolicies(text);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      throw wrong(error.message);
    }
  };
  if (file === INPUT) return parsed(await readInput());
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    const missing = error instanceof Error && "code" in error && error.code === "ENOENT";
    if (absent && missing) return absent;
    if (!missing) throw error;
    throw wrong("there is no such file");
  }
  // Anyone who can write it decides who may use which keys; Windows has no such modes.
  const { mode } = await stat(file);
  if (process.platform !== "win32" && (mode & 0o022) !== 0)
    throw new CommandError(`${file} can be written by others: chmod go-w ${file}`);
  return parsed(text);
}
