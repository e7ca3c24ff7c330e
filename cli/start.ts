import { constants } from "node:fs";
import { access, stat } from "node:fs/promises";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import type { IamHost } from "#edge/iam-host.ts";
import { CommandError } from "./command-error.ts";
import { removeDeployment, writeDeployment } from "./deployment.ts";
import type { Loopback } from "./development-provider.ts";
import { documentPath } from "./document-path.ts";
import { stopSignal } from "./interrupt.ts";
import { isLoopback } from "./loopback-fetch.ts";
import { tell } from "./output.ts";
import { START } from "./parts/index.ts";
import { withPeer } from "./peer.ts";
import { portOption } from "./ports.ts";
import { roundTrip } from "./round-trip.ts";
import { shown } from "./shown.ts";

/** npm takes a script's options after two hyphens. */
const START_WITH = START === "npm start" ? `${START} --` : START;

export const START_HELP = `coffer start: run everything on this machine

Makes a development PKI once, starts the HSM emulator (KMIP over mutual TLS), the edge worker in workerd
and the document page, seals and opens a small document through all of it, and prints the address.
Ctrl-C stops all of it; what was stored is kept for next time. A folder has one server at a time.

  --once FILE      seal and open this file instead, then stop; exit code 0 when it came back the same
  --iam-in UNIT    with --split: the IAM as a module of app or kms, not as a process of its own
  --split          each domain of the edge as a process of its own, with a folder of its own

  --host HOST      what page and vault are on: localhost or 127.0.0.1. The development identity provider is on the other,
                   another site, as in production          (localhost)
  --port N         the page's port                         (8787, or the next free one)
  --vault-port N   the vault's port, an origin of its own  (the page's port + 1, or the next free one)
  --ttlv-port N    the HSM's KMIP port, TTLV over TLS      (5696, or the next free one)
  --https-port N   the HSM's KMIP port, HTTPS              (5697, or the next free one)
  --identity-port N  the development identity provider's port (8789, or the next free one)
  --faults-port N  the port of the enclave emulator's page of faults (8790, or the next free one)
  --json           one JSON object a line: event "step" with text and seconds, "running" with app, vault, dir and faults, "stopping";
                   with --once "same" in the place of "running"
  --app ORIGIN     one more app, as http://localhost:5173, whose own server listens there and passes on what is the edge's,
                   as in ${documentPath("apps.md")}
                   may be given several times
  --admin NAME     who administers the tenant, by the name signed in with; may be given several times
  --dir PATH       where keys and documents are kept       (.coffer)

Exit code: 0 stopped, or the file came back the same; 1 failed; 2 the command line is wrong.

Examples: ${START_WITH} --port 9000
          ${START_WITH} --once photo.jpg
`;

/** `coffer start`: runs until a signal asks it to stop. */
export async function start(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      port: { type: "string" },
      "vault-port": { type: "string" },
      "ttlv-port": { type: "string" },
      "https-port": { type: "string" },
      "identity-port": { type: "string" },
      "faults-port": { type: "string" },
      dir: { type: "string", default: ".coffer" },
      once: { type: "string" },
      host: { type: "string", default: "localhost" },
      split: { type: "boolean", default: false },
      "iam-in": { type: "string" },
      json: { type: "boolean", default: false },
      admin: { type: "string", multiple: true },
      app: { type: "string", multiple: true, default: [] },
    },
  });
  const [app, vault] = [portOption(values.port, "--port"), portOption(values["vault-port"], "--vault-port")];
  if (app !== undefined && app === vault)
    throw new CommandError(
      "--vault-port takes another port than --port: the vault is an origin of its own.",
      2,
    );
  const { json } = values;
  const other = values.app.find((origin) => !isOwnApp(origin));
  if (other !== undefined)
    throw new CommandError(`--app takes an origin as http://localhost:5173, not '${shown(other)}'.`, 2);
  const host = hostOption(values.host);
  const dir = resolve(values.dir);
  if (values.once !== undefined) await expectFile(values.once);
  const { startAll } = await withPeer(
    "miniflare",
    "`coffer start` runs the edge worker in workerd",
    () => import("./start-all.ts"),
  );
  const began = performance.now();
  const step = (text: string) => {
    const seconds = ((performance.now() - began) / 1000).toFixed(1);
    tell(json, `${seconds.padStart(5)} s  ${text}`, { event: "step", text, seconds: Number(seconds) });
  };
  const stop = stopSignal(json);
  const running = await startAll({
    dir,
    ports: {
      app,
      vault,
      ttlv: portOption(values["ttlv-port"], "--ttlv-port"),
      https: portOption(values["https-port"], "--https-port"),
      identity: portOption(values["identity-port"], "--identity-port"),
      faults: portOption(values["faults-port"], "--faults-port"),
    },
    split: values.split,
    host,
    iamIn: iamOption(values["iam-in"], values.split),
    admins: values.admin ?? [],
    ...{ apps: values.app, passedOn: values.app },
    step,
  });
  const { appOrigin, vaultOrigin, rootKey } = running;
  const faults = running.faults?.origin;
  const deployment = { app: appOrigin, vault: vaultOrigin, rootKey, ...(faults !== undefined && { faults }) };
  stop.alone();
  try {
    if (stop.asked) return 1;
    await roundTrip(deployment, step, values.once);
    if (values.once !== undefined) {
      tell(json, "", { event: "same", file: values.once });
      return 0;
    }
    await writeDeployment(dir, deployment);
    tell(
      json,
      `\n  Coffer is running.  Open  ${appOrigin}\n${faults === undefined ? "" : `  Faults of enrolments, to turn on and off:  ${faults}\n`}  Ctrl-C stops it; everything is kept in ${values.dir}\n`,
      { event: "running", app: appOrigin, vault: vaultOrigin, dir: values.dir, faults },
    );
    await stop.stopped;
  } finally {
    if (values.once === undefined) await removeDeployment(dir, deployment);
    await running.close();
  }
  return 0;
}

/** An origin on this machine: others have no keys from a development deployment. */
function isOwnApp(text: string): boolean {
  return URL.canParse(text) && new URL(text).origin === text && isLoopback(new URL(text));
}

function hostOption(text: string): Loopback {
  if (text === "localhost" || text === "127.0.0.1") return text;
  throw new CommandError(`--host takes localhost or 127.0.0.1, not '${shown(text)}'.`, 2);
}

function iamOption(text: string | undefined, split: boolean): IamHost | undefined {
  if (text !== undefined && !split) throw new CommandError("--iam-in is for --split.", 2);
  if (text === "app" || text === "kms" || text === undefined) return text;
  throw new CommandError(`--iam-in takes app or kms, not '${shown(text)}'.`, 2);
}

async function expectFile(path: string): Promise<void> {
  try {
    await access(path, constants.R_OK);
    if ((await stat(path)).isFile()) return;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    throw new CommandError(`${shown(path)}: there is no such file.`);
  }
  throw new CommandError(`${shown(path)} is not a file.`);
}
