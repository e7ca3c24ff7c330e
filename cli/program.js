// Finds programs as a shell does, by PATH alone: what is not on it counts as not installed.
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

/**
 * @param {string} name of a program, without its directory
 * @param {NodeJS.ProcessEnv} [environment]
 * @returns {string[]} the paths of all programs of that name, in PATH's order
 */
export function findPrograms(name, environment = process.env) {
  const endings = process.platform === "win32" ? [".exe", ".cmd", ""] : [""];
  return (environment.PATH ?? "")
    .split(delimiter)
    .filter((folder) => folder !== "")
    .flatMap((folder) => endings.map((ending) => join(folder, name + ending)))
    .filter(executable);
}

/** @param {string} path */
export function executable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
