import { readFileSync } from "node:fs";
import { list, object, text, whole } from "#protocol/shape.ts";
import { startSidecar } from "#web/hosts/sidecar/index.ts";
import { CommandError } from "./command-error.ts";
import { stopSignal } from "./interrupt.ts";
import { COFFER } from "./parts/index.ts";
import { identity, identityOf, place, placeOf, readProcessFile } from "./process-file.ts";

export const SIDECAR_HELP = `coffer sidecar FILE: run the one process that reaches a microservice

FILE is JSON; its paths count from its own folder:
  place         { "socket": PATH } or { "port": NUMBER } of 127.0.0.1, for the app
  identity      { "key", "cert", "ca" }: PEM files for mutual TLS, on both sides
  custodians    Distinguished Names that are let in
  microservice  { "socket": PATH, "name": the Distinguished Name that it shows }
  policy        JSON file of a policy of statements; what it does not allow is refused
  audit         file to which every decision is written before it is acted upon
  pace          { "perSecond", "atOnce" } requests of one name (200, 400); optional

Exit code: 0 stopped by a signal, 1 it could not start, 2 the command line is wrong.

Example: ${COFFER} sidecar /etc/coffer/sidecar.json
`;

const path = text(1, 4096);
const name = text(1, 1024);
const settings = object(
  {
    ...{ place, identity, custodians: list(name, 1, 16) },
    microservice: object({ socket: path, name }),
    ...{ policy: path, audit: path },
  },
  { pace: object({ perSecond: whole(1, 100_000), atOnce: whole(1, 100_000) }) },
);

/** `coffer sidecar` (M15). */
export async function sidecar(args: string[]): Promise<number> {
  const stop = stopSignal();
  const [file, ...rest] = args;
  if (file === undefined || rest.length > 0) throw new CommandError("sidecar takes one file.", 2);
  const { settings: of, pathTo } = readProcessFile(file, settings);
  const { custodians, microservice, pace } = of;
  const running = await startSidecar({
    ...{ custodians, microservice: { ...microservice, socket: pathTo(microservice.socket) } },
    place: placeOf(of.place, pathTo),
    identity: identityOf(of.identity, pathTo),
    policy: readFileSync(pathTo(of.policy), "utf8"),
    audit: pathTo(of.audit),
    ...(pace && { pace }),
  });
  process.stdout.write(`${JSON.stringify(running.place)}\n`);
  await stop.stopped;
  await running.close();
  return 0;
}
