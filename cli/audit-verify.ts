import { createReadStream, existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { AuditError, linesOf, type Verified, verifyExport } from "#protocol/audit/index.ts";
import { seconds } from "#protocol/clock.ts";
import { CommandError } from "./command-error.ts";
import { readDeployment } from "./deployment.ts";
import { expectOneInput, INPUT } from "./input.ts";
import { print, tell } from "./output.ts";
import { ROOT_KEY_FILE, readRootKey } from "./root-key.ts";
import { shown } from "./shown.ts";

/** `coffer audit verify FILE` */
export async function auditVerify(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    options: {
      dir: { type: "string", default: ".coffer" },
      since: { type: "string" },
      "root-key": { type: "string" },
      json: { type: "boolean" },
    },
    allowPositionals: true,
  });
  const [file, ...more] = positionals;
  if (file === undefined || more.length > 0)
    throw new CommandError("coffer audit verify: name one file. Try --help.", 2);
  expectOneInput(file, values.since, values["root-key"]);
  const rootKey = await trustedKey(values["root-key"], resolve(values.dir));
  const since = values.since === undefined ? undefined : await verify(values.since, rootKey);
  const { tenant, root, roots, links, chains, unsigned } = await verify(file, rootKey, since);
  const signed = new Date(root.iat * 1000).toISOString();
  if (values.json) {
    const told = { tenant, decisions: links, chains: chains.size, checkpoints: root.size, roots, signed };
    tell(true, "", { ...told, unsigned: unsigned.links, since: values.since ?? null });
    return 0;
  }
  await print(
    `Verified: ${links} decisions of ${tenant} in ${chains.size} chains, logged in ${root.size} checkpoints under ${roots} signed roots, the last of ${signed}.\n`,
  );
  if (unsigned.links > 0) {
    const newest = new Date(unsigned.newest * 1000).toISOString();
    await print(`Not verified: ${unsigned.links} decisions under no root yet, the newest of ${newest}.\n`);
  }
  await print(
    values.since === undefined
      ? "A file that was cut back to an older signed root passes as well: --since and an earlier export show that.\n"
      : `Nothing of ${shown(values.since)} is missing.\n`,
  );
  return 0;
}

async function trustedKey(given: string | undefined, dir: string): Promise<Uint8Array> {
  if (given !== undefined) return readRootKey(given);
  const written = join(dir, ROOT_KEY_FILE);
  return existsSync(written) ? readRootKey(written) : (await readDeployment(dir)).rootKey;
}

/** Reads a file to its end, a chunk at a time. */
async function verify(file: string, rootKey: Uint8Array, since?: Verified): Promise<Verified> {
  const anchor = { rootKey, now: seconds(Date.now()) };
  try {
    return await verifyExport(
      linesOf(file === INPUT ? process.stdin : createReadStream(file)),
      anchor,
      since,
    );
  } catch (error) {
    if (error instanceof AuditError)
      throw new CommandError(`${shown(file)}: ${shown(error.message)}. [${error.code}]`, 1, error);
    if ((error as NodeJS.ErrnoException).code === "ENOENT")
      throw new CommandError(`${shown(file)}: there is no such file.`, 1, error);
    throw error;
  }
}
