import { createPortClient } from "#protocol/port/index.ts";
import { list, object, text, whole } from "#protocol/shape.ts";
import { serveMicroservice, startMicroservice } from "#web/hosts/node/index.ts";
import { stopSignal } from "./interrupt.ts";
import { loopbackFetch } from "./loopback-fetch.ts";
import { tell } from "./output.ts";
import { COFFER } from "./parts/index.ts";
import { identity, identityOf, place, placeOf, processLine, readProcessFile } from "./process-file.ts";
import { readRootKey } from "./root-key.ts";

export const MICROSERVICE_HELP = `coffer microservice FILE: run a microservice behind REST, for one custodian

FILE is JSON, - is standard input; its paths count from its own folder. It prints where it listens, one JSON object; with --json the
lines behind that are JSON too:
  place      { "socket": PATH } or { "port": NUMBER } of 127.0.0.1
  identity   { "key", "cert", "ca" }: PEM files for mutual TLS
  peers      Distinguished Names that are let in: the sidecar's, or the custodian's own
  custodian  Distinguished Name of the custodian that it serves
  vault      origin of the vault, whose registration authority enrols it
  origin     origin of the custodian's app
  rootKey    PEM file of the root's public key
  limits     { "messages", "bytes" }, either or both, if there are to be any: so much is made under a loaded key, then it is
             dropped, and works again when it is loaded again

It has no certificate at first: give it a secret zero (\`${COFFER} secret-zero\`) by POST /enrolments. It keeps nothing on disk.
Exit code: 0 stopped by a signal, 1 it could not start, 2 the command line is wrong.

Example: ${COFFER} microservice /etc/coffer/microservice.json
`;

const name = text(1, 1024);
const settings = object(
  {
    ...{ place, identity, peers: list(name, 1, 16), custodian: name },
    ...{ vault: text(1, 256), origin: text(1, 256), rootKey: text(1, 4096) },
  },
  { limits: object({}, { messages: whole(1), bytes: whole(1) }) },
);

/** `coffer microservice` (M15). */
export async function microservice(args: string[]): Promise<number> {
  const { file, json } = processLine("microservice", args);
  const stop = stopSignal(json);
  const { settings: of, pathTo } = readProcessFile(file, settings);
  const { vault, origin, custodian, peers, limits } = of;
  // It has no cookie: by this header the vault knows its own code.
  const fetch: typeof globalThis.fetch = (input, init) =>
    loopbackFetch(input, {
      ...init,
      headers: { ...Object.fromEntries(new Headers(init?.headers)), origin: vault },
    });
  const rootKey = new Uint8Array(await readRootKey(pathTo(of.rootKey)));
  const { port, close } = startMicroservice({
    ...{ vault, origin, custodian, fetch, rootKey },
    ...(limits && { limits }),
  });
  const listening = await serveMicroservice({
    ...{ port: createPortClient(port), custodian, peers },
    place: placeOf(of.place, pathTo),
    identity: identityOf(of.identity, pathTo),
  });
  tell(true, "", listening.place);
  await stop.stopped;
  await listening.close();
  close();
  return 0;
}
