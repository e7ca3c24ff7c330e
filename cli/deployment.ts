import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { sentenceOf, writeWhole } from "#files/index.ts";
import { decodeBase64url, encodeBase64url } from "#protocol/base64url.ts";
import { parseJson } from "#protocol/json.ts";
import { CommandError } from "./command-error.ts";
import { readNamed } from "./input.ts";
import { isLoopback } from "./loopback-fetch.ts";
import { START } from "./parts/index.ts";
import { rootKeyFrom } from "./root-key.ts";
import { shown } from "./shown.ts";

/** What a client must know of a deployment. All of it is public. */
export interface Deployment {
  app: string;
  vault: string;
  /** Root CA's public key, DER SubjectPublicKeyInfo. */
  rootKey: Uint8Array<ArrayBuffer>;
  /** Where the emulator's page of faults is, in development. */
  faults?: string;
  /** The server's process, where that is known. */
  pid?: number;
}

const FILE = "deployment.json";

/** `coffer start` leaves it in its folder while it runs, so that the other commands find the edge. */
export async function writeDeployment(dir: string, deployment: Deployment): Promise<void> {
  await writeWhole(join(dir, FILE), textOf(deployment), { replace: true, mode: 0o644 });
}

/** Removes what was written, unless it is another server's by now. */
export async function removeDeployment(dir: string, deployment: Deployment): Promise<void> {
  const path = join(dir, FILE);
  const text = await readFile(path, "utf8").catch(() => undefined);
  if (text === textOf(deployment)) await rm(path, { force: true });
}

/** With the process's number: two servers of one folder may have all else in common. */
function textOf({ app, vault, rootKey, faults }: Deployment): string {
  const text = { app, vault, rootKey: encodeBase64url(rootKey), faults, pid: process.pid };
  return `${JSON.stringify(text, null, 2)}\n`;
}

/** Reads what `coffer start` left; says what to do when nothing is running there. */
export async function readDeployment(dir: string): Promise<Deployment> {
  const path = join(dir, FILE);
  const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT" && sentenceOf(error)) throw error;
    throw new CommandError(
      `Nothing runs from ${dir}. Start it in another terminal with \`${START}\`, or name it with --dir.`,
    );
  });
  try {
    return deploymentIn(text, path);
  } catch {
    throw new CommandError(
      `${path} is damaged. Stop \`${START}\` and start it again: it writes the file again.`,
    );
  }
}

/**
 * What an operator has written of a deployment elsewhere: JSON with `app`, `vault` and `rootKey`, in PEM or as `coffer start` writes it. Nothing goes
 * over a network in the clear. Error: `CommandError`.
 */
export async function readDeploymentFile(path: string): Promise<Deployment> {
  const text = await readNamed(path, { option: "--deployment" });
  let of: Deployment;
  try {
    of = deploymentIn(text, path);
  } catch (error) {
    if (error instanceof CommandError) throw error;
    throw new CommandError(`${shown(path)} is no deployment: JSON with app, vault and rootKey.`, 1, error);
  }
  const open = [of.app, of.vault].find((at) => !at.startsWith("https:") && !isLoopback(new URL(at)));
  if (open !== undefined) throw new CommandError(`${open} in ${shown(path)} is not HTTPS.`);
  return of;
}

function deploymentIn(text: string, path: string): Deployment {
  const { app, vault, rootKey, faults, pid } = parseJson(text) as Record<
    "app" | "vault" | "rootKey",
    string
  > & {
    faults?: string;
    pid?: number;
  };
  return {
    app: new URL(app).origin,
    vault: new URL(vault).origin,
    rootKey: rootKey.includes("-----BEGIN") ? rootKeyFrom(rootKey, path) : decodeBase64url(rootKey),
    ...(faults !== undefined && isLoopback(new URL(faults)) && { faults: new URL(faults).origin }),
    ...(pid !== undefined && Number.isSafeInteger(pid) && pid > 0 ? { pid } : {}),
  };
}
