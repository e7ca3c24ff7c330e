import { join, resolve } from "node:path";
import { setTimeout } from "node:timers/promises";
import { parseArgs } from "node:util";
import { writeWhole } from "#files/index.ts";
import { isTenantName } from "#protocol/hierarchy/index.ts";
import { CommandError } from "./command-error.ts";
import { openDestination } from "./destination.ts";
import { interruptSignal } from "./interrupt.ts";
import { writeInto } from "./open.ts";
import { tell } from "./output.ts";
import { COFFER } from "./parts/index.ts";
import { withPeer } from "./peer.ts";
import { ROOT_KEY_FILE, rootKeyPem } from "./root-key.ts";
import { shown } from "./shown.ts";
import { stateFolderOf } from "./state-folder.ts";

/** How long the first root is waited for: a little more than decisions take to get under one. */
const PATIENCE_MS = 75_000;
const LOOK_MS = 500;

/** `coffer audit export`: what was decided is read through the edge, which has to run for that. */
export async function auditExport(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      dir: { type: "string", default: ".coffer" },
      tenant: { type: "string", default: "development" },
      to: { type: "string" },
      force: { type: "boolean" },
      json: { type: "boolean" },
    },
  });
  const { tenant, force = false } = values;
  if (values.json && values.to === "-")
    throw new CommandError("--json and the export do not go to standard output together.", 2);
  if (!isTenantName(tenant)) throw new CommandError("--tenant takes a tenant's name.", 2);
  const dir = resolve(values.dir);
  if (stateFolderOf(dir) === null)
    throw new CommandError(`Nothing has run from ${shown(values.dir)}: name the folder with --dir.`);
  const signal = interruptSignal();
  const name = `${tenant}-audit.ndjson`;
  const { startAll } = await withPeer(
    "miniflare",
    `\`coffer audit export\` reads through the edge worker in workerd`,
    () => import("./start-all.ts"),
  );
  const running = await startAll({ dir });
  try {
    const audit = await running.edge.audit();
    // The HSM is in this process, and signs while nothing is asked.
    for (let waited = 0; (await audit.lastSignedRoot(tenant)) === null; waited += LOOK_MS) {
      if (waited >= PATIENCE_MS)
        throw new CommandError(`Of ${tenant} nothing was ever decided in ${shown(values.dir)}.`);
      await setTimeout(LOOK_MS, undefined, { signal });
    }
    const target = await openDestination(values.to ?? name, { force, name, signal });
    await writeInto(target, await audit.export(tenant));
    const rootKey = join(dir, ROOT_KEY_FILE);
    await writeWhole(rootKey, rootKeyPem(running.rootKey), { replace: true, mode: 0o644 });
    if (values.json) tell(true, "", { tenant, path: target.shown, rootKey });
    process.stderr.write(
      `Exported the audit log of ${tenant} as ${shown(target.shown)}. \`${COFFER} audit verify\` checks it.\n`,
    );
    return 0;
  } finally {
    await running.close();
  }
}
