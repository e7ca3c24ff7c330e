import { spawnSync } from "node:child_process";

/** Debian's Python, which has Debian's packages; another `python3` may come first in PATH and has not. */
export const PYTHON = "/usr/bin/python3";

/** Whether that Python can run the statement (an import, the loading of a library). */
export function pythonCan(statement: string): boolean {
  return spawnSync(PYTHON, ["-c", statement], { stdio: "ignore" }).status === 0;
}

/**
 * Whether tests that need it are skipped. In CI nothing is: `.ci/run` installs it, and without it they fail.
 * Elsewhere the reason is printed once a file.
 */
export function missing(what: string, statement: string): boolean {
  if (pythonCan(statement) || process.env.CI) return false;
  console.warn(`Skipped: ${what} is not installed (Debian: apt-get install ${what}).`);
  return true;
}
