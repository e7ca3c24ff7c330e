/**
 * What a test needs and npm cannot bring. A test that lacks it is skipped, and `npm test` says why in its last lines.
 * In CI nothing of it is missing: `.ci/run` installs it, and where it is not there the tests fail.
 */

import { spawnSync } from "node:child_process";
import { appendFileSync, existsSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "vitest";
import { findPrograms } from "#cli/program.js";
import { vectorsFolder } from "./vectors.ts";

/** Says why tests are skipped. `npm test` gathers the reasons in the file that COFFER_SKIPPED names. */
export function skipped(reason: string): true {
  if (process.env.COFFER_SKIPPED) appendFileSync(process.env.COFFER_SKIPPED, `${reason}\n`);
  else console.warn(`Skipped: ${reason}`);
  return true;
}

/** Skips the rest of a test, and says why. */
export function skipTest(context: TestContext, reason: string): never {
  skipped(reason);
  context.skip(reason);
}

/** Whether tests are skipped for lack of a package. `found` is the program that it brings. */
export function missing(debianPackage: string, found: string | undefined): boolean {
  if (found !== undefined || process.env.CI) return false;
  return skipped(`${debianPackage} is not installed (Debian: apt-get install ${debianPackage})`);
}

/** Whether tests are skipped for lack of a program on PATH. */
export function missingProgram(name: string, debianPackage = name): boolean {
  return missing(debianPackage, findPrograms(name)[0]);
}

/** The first Python on PATH that can run the statement (an import, the loading of a library): another may have no packages. */
export function findPython(statement: string): string | undefined {
  return findPrograms("python3").find(
    (python) => spawnSync(python, ["-c", statement], { stdio: "ignore" }).status === 0,
  );
}

/** The folder or file of the shared test data, or undefined (and the tests skipped, in CI too) where it is absent. */
export function findVectors(path: string): string | undefined {
  const found = join(vectorsFolder(), path);
  if (existsSync(found)) return found;
  skipped(`${found} is absent: COFFER_VECTORS names the folder of the test vectors`);
  return undefined;
}
