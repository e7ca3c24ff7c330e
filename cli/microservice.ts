import { createPortClient } from "#protocol/port/index.ts";
import { list, object, text } from "#protocol/shape.ts";
import { serveMicroservice, startMicroservice } from "#web/hosts/node/index.ts";
import { CommandError } from "./command-error.ts";
import { stopSignal } from "./interrupt.ts";
import { loopbackFetch } from "./loopback-fetch.ts";
import { COFFER } from "./parts/index.ts";
import { identity, identityOf, place, placeOf, readProcessFile } from "./process-file.ts";
import { readRootKey } from "./root-key.ts";

export const MICROSERVICE_HELP = `coffer microservice FILE: run a microservice behind REST, for one custodian

FILE is JSON; its paths count from its own folder:
  place      { "socket": PATH } or { "port": NUMBER } of 127.0.0.1
  identity   { "key", "cert", "ca" }: PEM files for mutual TLS
  peers      Distinguished Names that are let in: the sidecar's, or the custodian's own
  custodian  Distinguished Name of the custodian that it serves
  vault      origin of the vault, whose registration authority enrols it
  origin     origin of the custodian's app
  rootKey    PEM file of the root's public key

It has no certificate at first: give it a secret zero (\`${COFFER} secret-zero\`) by POST /enrolments. It keeps nothing on disk.
Exit code: 0 stopped by a signal, 1 it could not start, 2 the command line is wrong.

Example: ${COFFER} microservice /etc/coffer/microservice.json
`;

const name = text(1, 1024);
const settings = object({
  ...{ place, identity, peers: list(name, 1, 16), custodian: name },
  ...{ vault: text(1, 256), origin: text(1, 256), rootKey: text(1, 4096) },
});

/** `coffer microservice` (M15). */
export async function microservice(args: string[]): Promise<number> {
  const stop = stopSignal();
  const [file, ...rest] = args;
  if (file === undefined || rest.length > 0) throw new CommandError("microservice takes one file.", 2);
  const { settings: of, pathTo } = readProcessFile(file, settings);
  const { vault, origin, custodian, peers } = of;
  // It has no cookie: by this header the vault knows its own code.
  const fetch: typeof globalThis.fetch = (input, init) =>
    loopbackFetch(input, {
      ...init,
      headers: { ...Object.fromEntries(new Headers(init?.headers)), origin: vault },
    });
  const rootKey = new Uint8Array(await readRootKey(pathTo(of.rootKey)));
  const { port, close } = startMicroservice({ vault, origin, custodian, fetch, rootKey });
  const listening = await serveMicroservice({
    ...{ port: createPortClient(port), custodian, peers },
    place: placeOf(of.place, pathTo),
    identity: identityOf(of.identity, pathTo),
  });
  process.stdout.write(`${JSON.stringify(listening.place)}\n`);
  await stop.stopped;
  await listening.close();
  close();
  return 0;
}
