import { readFileSync } from "node:fs";
import { CommandError } from "./command-error.ts";
import { MANIFEST } from "./parts/index.ts";

/**
 * Loads code that needs an optional peer of the package. Where that is not installed, says why it is needed and the command
 * that installs the version which this code was tried with.
 */
export async function withPeer<T>(name: string, purpose: string, load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code !== "ERR_MODULE_NOT_FOUND" || !message.includes(`'${name}'`)) throw error;
    const { peerDependencies } = JSON.parse(readFileSync(MANIFEST, "utf8")) as {
      peerDependencies: Record<string, string>;
    };
    throw new CommandError(
      `${purpose} by ${name}, which is not installed: npm install --save-dev ${name}@${peerDependencies[name]}`,
    );
  }
}
