/**
 * The microservice in a dedicated Worker: the whole of what is measured, one self-contained classic script. It is started
 * by the vault's document with the port of one custodian and serves that one alone.
 */
import { decodeBase64url } from "#protocol/base64url.ts";
import { CofferError } from "#protocol/error.ts";
import { attestationAttribute, type Evidence } from "#protocol/pki/index.ts";
import { type PortHandler, refuseAll, servePort } from "#protocol/port/index.ts";
import {
  type Attester,
  browserPeers,
  captureCrypto,
  createMicroservice,
  type MicroserviceOptions,
  openStore,
  type PasskeySecret,
  restAuthorities,
  restKeyServer,
  restRegistration,
} from "#web/microservice/index.ts";

/** Root SPKI, base64url; written in when this is built. Empty in a build for a dry run. */
declare const __COFFER_ROOT_KEY__: string;

// Before anything foreign is handled.
const crypto = captureCrypto(globalThis.crypto);
const fetchOf = globalThis.fetch.bind(globalThis);
const storage = globalThis.navigator.storage;
const peers = browserPeers(globalThis.BroadcastChannel);
const ownOrigin = globalThis.origin;
const rootKey = decodeBase64url(__COFFER_ROOT_KEY__);

type Asked = NonNullable<ReturnType<NonNullable<MicroserviceOptions["asked"]>>>[number];
const asked: Asked[] = [];

/** Remembers of the last requests that were answered what they were and their status, and what answers tell of the steps that were taken for them. */
const send: typeof fetch = async (url, init) => {
  const at = Date.now();
  const response = await fetchOf(url, init);
  asked.push({
    what: `${init?.method} ${new URL(response.url).pathname} ${response.status}`,
    at,
    // A clock can be set back; and the header is no longer than the port takes.
    ms: Math.max(0, Date.now() - at),
    timing: response.headers.get("server-timing")?.slice(0, 4096) ?? "",
  });
  asked.splice(0, asked.length - MAX_ASKED);
  return response;
};

/**
 * What the vault's document sends, once. `origin` is the custodian's, as the browser told the document. `unlocks`: that its page shows the
 * vault's frame when the person has to press something in it.
 */
export type StartMessage = { type: "coffer-start"; origin: string; measurement: string; unlocks: boolean };

/** What the document answers to a question: evidence, and what the passkey gave that was shown. */
type Answered = { evidence?: Evidence | null; secret?: PasskeySecret | null };

/** As many as the port tells. */
const MAX_ASKED = 32;

const scope = globalThis as { onmessage: ((event: MessageEvent) => void) | null };

scope.onmessage = (event) => {
  const [port] = event.ports;
  const message = event.data as StartMessage;
  if (!port || message?.type !== "coffer-start") return;
  // First start wins.
  scope.onmessage = null;
  void start(port, message);
};

async function start(port: MessagePort, { origin, measurement, unlocks }: StartMessage): Promise<void> {
  const answers = new Map<number, (answer: Answered) => void>();
  let questions = 0;
  const ask = (type: string, asked: object) => {
    const id = ++questions;
    return new Promise<Answered>((resolve) => {
      answers.set(id, resolve);
      postMessage({ type, id, asked });
    });
  };
  /** The vault's document: it has the authenticators, and what it says of this code a person's passkey signs. */
  const attester: Attester = {
    environment: async () => "software",
    async attest({ origin: _, ...asked }) {
      const { evidence, secret } = await ask("coffer-attest", asked);
      if (!evidence) throw new CofferError("enrolment-refused");
      return { attribute: attestationAttribute(evidence), secret: secret ?? undefined };
    },
    ...(unlocks && {
      unlock: async ({ credential, salt }) =>
        (await ask("coffer-unlock", { credential, salt })).secret?.output ?? null,
    }),
  };
  const handler =
    rootKey.length === 0 ? refuseAll("no-root-key") : await serve(origin, measurement, attester);
  // The vault's document alone can send here.
  scope.onmessage = ({ data }) => {
    if (data?.type === "coffer-lock") void handler.lock({}).catch(() => {});
    if (data?.type !== "coffer-answer") return;
    answers.get(data.id)?.(data);
    answers.delete(data.id);
  };
  servePort(port, handler, { onUnexpected: (error) => console.error("unexpected", (error as Error)?.name) });
}

function serve(origin: string, measurement: string, attester: Attester): Promise<PortHandler> {
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
        attester,
        peers,
        asked: () => asked.splice(0),
        // The port comes from another origin: its page has to prove that it is the custodian.
        mutual: true,
        now: () => Date.now(),
        schedule: (task, delay) => setTimeout(task, delay),
        persist: async () => storage?.persist?.(),
      }),
    () => refuseAll("storage-denied"),
  );
}
