/**
 * The microservice in a dedicated Worker: the whole of what is measured, one self-contained classic script. It is started
 * by the vault's document with the port of one custodian and serves that one alone.
 */
import { decodeBase64url } from "#protocol/base64url.ts";
import { type PortHandler, refuseAll, servePort } from "#protocol/port/index.ts";
import {
  browserPeers,
  captureCrypto,
  createMicroservice,
  openStore,
  restAuthorities,
  restKeyServer,
  restRegistration,
} from "#web/microservice/index.ts";

/** Root SPKI, base64url; written in when this is built. Empty in a build for a dry run. */
declare const __COFFER_ROOT_KEY__: string;

// Before anything foreign is handled.
const crypto = captureCrypto(globalThis.crypto);
const send = globalThis.fetch.bind(globalThis);
const storage = globalThis.navigator.storage;
const peers = browserPeers(globalThis.BroadcastChannel);
const ownOrigin = globalThis.origin;
const rootKey = decodeBase64url(__COFFER_ROOT_KEY__);

/** What the vault's document sends, once. `origin` is the custodian's, as the browser told the document. */
export type StartMessage = { type: "coffer-start"; origin: string; measurement: string };

const scope = globalThis as { onmessage: ((event: MessageEvent) => void) | null };

scope.onmessage = (event) => {
  const [port] = event.ports;
  const message = event.data as StartMessage;
  if (!port || message?.type !== "coffer-start") return;
  // First start wins.
  scope.onmessage = null;
  void start(port, message);
};

async function start(port: MessagePort, { origin, measurement }: StartMessage): Promise<void> {
  const handler = rootKey.length === 0 ? refuseAll("no-root-key") : await serve(origin, measurement);
  // The vault's document alone can send here.
  scope.onmessage = ({ data }) => {
    if (data?.type === "coffer-lock") void handler.lock({}).catch(() => {});
  };
  servePort(port, handler, { onUnexpected: (error) => console.error("unexpected", (error as Error)?.name) });
}

function serve(origin: string, measurement: string): Promise<PortHandler> {
  return openStore().then(
    (store) =>
      createMicroservice({
        crypto,
        store,
        registration: restRegistration(send, ownOrigin),
        keyServer: restKeyServer(send, ownOrigin),
        authorities: (of) => restAuthorities({ ...of, fetch: send, vault: ownOrigin }),
        rootKey,
        origin,
        measurement,
        peers,
        // The port comes from another origin: its page has to prove that it is the custodian.
        mutual: true,
        now: () => Date.now(),
        schedule: (task, delay) => setTimeout(task, delay),
        persist: async () => storage?.persist?.(),
      }),
    () => refuseAll("storage-denied"),
  );
}
