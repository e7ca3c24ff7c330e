import { readFileSync } from "node:fs";
import { list, object, text, whole } from "#protocol/shape.ts";
import { startSidecar } from "#web/hosts/sidecar/index.ts";
import { stopSignal } from "./interrupt.ts";
import { tell } from "./output.ts";
import { COFFER } from "./parts/index.ts";
import { identity, identityOf, place, placeOf, processLine, readProcessFile } from "./process-file.ts";

export const SIDECAR_HELP = `coffer sidecar FILE: run the one process that reaches a microservice

FILE is JSON, - is standard input; its paths count from its own folder. It prints where it listens, one JSON object; with --json the
lines behind that are JSON too:
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
  const { file, json } = processLine("sidecar", args);
  const stop = stopSignal(json);
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
  tell(true, "", running.place);
  await stop.stopped;
  await running.close();
  return 0;
}
