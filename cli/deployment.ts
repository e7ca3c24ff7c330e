import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { decodeBase64url, encodeBase64url } from "#protocol/base64url.ts";
import { CommandError } from "./command-error.ts";

/** What a client must know of a deployment. All of it is public. */
export interface Deployment {
  app: string;
  vault: string;
  /** Root CA's public key, DER SubjectPublicKeyInfo. */
  rootKey: Uint8Array<ArrayBuffer>;
}

const FILE = "deployment.json";

/** `coffer start` leaves it in its folder while it runs, so that the other commands find the edge. */
export async function writeDeployment(dir: string, { app, vault, rootKey }: Deployment): Promise<void> {
  await writeFile(
    join(dir, FILE),
    `${JSON.stringify({ app, vault, rootKey: encodeBase64url(rootKey) }, null, 2)}\n`,
  );
}

export async function removeDeployment(dir: string): Promise<void> {
  await rm(join(dir, FILE), { force: true });
}

/** Reads what `coffer start` left; says what to do when nothing is running there. */
export async function readDeployment(dir: string): Promise<Deployment> {
  const path = join(dir, FILE);
  const text = await readFile(path, "utf8").catch(() => {
    throw new CommandError(
      `Nothing runs from ${dir}. Start it in another terminal with \`npm start\`, or name it with --dir.`,
    );
  });
  try {
    const { app, vault, rootKey } = JSON.parse(text) as Record<"app" | "vault" | "rootKey", string>;
    return { app: new URL(app).origin, vault: new URL(vault).origin, rootKey: decodeBase64url(rootKey) };
  } catch {
    throw new CommandError(
      `${path} is damaged. Stop \`npm start\` and start it again: it writes the file anew.`,
    );
  }
}
