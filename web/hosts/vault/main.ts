/** The loader: runs in the vault's document, decides whom to serve, starts the measured microservice, steps aside. */
import type { vaultConfiguration } from "#protocol/contract/index.ts";
import { admit, isConnect } from "./admission.ts";
import { type MicroserviceFile, measuredBundle } from "./bundle.ts";
import { lockWhenHidden } from "./hidden.ts";
import { type AttestQuestion, assertion, type PasskeySecret } from "./passkey.ts";
import { offerPasskey } from "./passkey-button.ts";
import { offerUnlock } from "./unlock.ts";

/** URL and integrity of the microservice's bundle; written in when this is built. */
declare const __COFFER_MICROSERVICE__: MicroserviceFile;

type TrustedUrl = string;
type PolicyFactory = {
  createPolicy(
    name: string,
    rules: { createScriptURL(url: string): string },
  ): { createScriptURL(url: string): TrustedUrl };
};

/** How long the vault's server has to say whom it serves, where it has said so before, milliseconds. */
const PATIENCE = 3_000;
/** By type alone: the loader carries no shapes. */
const CONFIGURATION: (typeof vaultConfiguration)["path"] = "/configuration.json";

const parent = window.parent;
const vault = location.origin;
const send = fetch.bind(globalThis);
const digest = crypto.subtle.digest.bind(crypto.subtle);
const { credentials } = navigator;
const authenticators = credentials && {
  create: credentials.create.bind(credentials),
  get: credentials.get.bind(credentials),
};
/** The frame that a page opens for a person to register a passkey in: it starts no microservice. */
const registering = location.hash === "#passkey";

/** What the microservice asks. */
type Question = { id: number } & (
  | { type: "coffer-attest"; asked: AttestQuestion }
  | { type: "coffer-unlock"; asked: Parameters<typeof offerUnlock>[0] }
);
type Answer = {
  evidence?: { type: string; evidence: Uint8Array<ArrayBuffer> } | null;
  secret?: PasskeySecret | null;
};

void start();

async function start(): Promise<void> {
  if (parent === window) return;
  const serviceWorkers = navigator.serviceWorker;
  const [allowed, bundle] = await Promise.all([
    allowedOrigins(),
    measuredBundle(__COFFER_MICROSERVICE__, send, digest),
    dropServiceWorkers(serviceWorkers),
  ]).catch((): [] => []);
  if (!allowed || !bundle) return;
  const admission = admit({
    framed: true,
    ancestors: location.ancestorOrigins && [...location.ancestorOrigins],
    parentIsTop: parent === window.top,
    controlled: Boolean(serviceWorkers?.controller),
    allowed,
  });
  // Says nothing but no, so anyone may hear it.
  if (!admission.admitted) return parent.postMessage({ type: "coffer-vault-refused" }, "*");

  if (registering) {
    const [origin] = admission.origins;
    // Where the browser does not say whose page it is in, it registers nothing: any listed app could have opened it.
    if (admission.origins.length !== 1 || origin === undefined || !authenticators)
      return parent.postMessage({ type: "coffer-passkey", outcome: "unsupported" }, "*");
    return offerPasskey({ vault, authenticators, send }, (outcome) =>
      parent.postMessage({ type: "coffer-passkey", outcome }, origin),
    );
  }
  let connected = false;
  addEventListener("message", (event) => {
    if (!isConnect(event, parent, admission.origins)) return;
    const [port] = event.ports as [MessagePort];
    // First connect wins, and is taken before anything is waited for; any later one is refused.
    if (connected) {
      port.close();
      parent.postMessage({ type: "coffer-vault-refused" }, event.origin);
      return;
    }
    connected = true;
    run(bundle, event.origin, port, event.data.unlocks === true);
  });
  addEventListener("message", async ({ source, origin, data }) => {
    if (source !== parent || data?.type !== "coffer-storage" || !admission.origins.includes(origin)) return;
    const persisted = (await navigator.storage?.persisted?.().catch(() => false)) ?? false;
    parent.postMessage({ type: "coffer-storage", persisted }, origin);
  });
  for (const origin of admission.origins) parent.postMessage({ type: "coffer-vault-ready" }, origin);
}

function run(
  { bytes, measurement }: Awaited<ReturnType<typeof measuredBundle>>,
  origin: string,
  port: MessagePort,
  unlocks: boolean,
): void {
  const url = URL.createObjectURL(new Blob([bytes], { type: "text/javascript" }));
  const { trustedTypes } = globalThis as { trustedTypes?: PolicyFactory };
  // The policy of this name knows one URL and is made once: nothing else in this document can start a script.
  const policy = trustedTypes?.createPolicy("vault-loader", {
    createScriptURL(asked) {
      if (asked !== url) throw new TypeError("not the microservice");
      return asked;
    },
  });
  const worker = new Worker(policy ? policy.createScriptURL(url) : url, { name: "coffer-microservice" });
  worker.onerror = () => port.close();
  worker.onmessage = async ({ data }: MessageEvent<Question>) => {
    const { evidence, secret } = await answerTo(data).catch((): Answer => ({}));
    const answer = { type: "coffer-answer", id: data.id, evidence: evidence ?? null, secret: secret ?? null };
    // Handed over: this document has it no more.
    worker.postMessage(answer, secret ? [secret.output.buffer] : []);
  };
  async function answerTo(question: Question): Promise<Answer> {
    if (!authenticators) return {};
    if (question.type === "coffer-attest") {
      const at = { vault, app: origin, measurement, authenticators };
      return (await assertion(question.asked, at)) ?? {};
    }
    const shown = (is: boolean) => parent.postMessage({ type: "coffer-vault-shown", shown: is }, origin);
    shown(true);
    const secret = await offerUnlock(question.asked, { vault, authenticators }).finally(() => shown(false));
    return { secret };
  }
  worker.postMessage({ type: "coffer-start", origin, measurement, unlocks }, [port]);
  lockWhenHidden(document, () => worker.postMessage({ type: "coffer-lock" }));
}

/** Origins that may embed this vault, from its own server. */
async function allowedOrigins(): Promise<string[]> {
  const ask = (more: RequestInit) =>
    send(CONFIGURATION, { credentials: "omit", redirect: "error", ...more }).then(appOrigins);
  try {
    // Chromium forgets what it has kept where a request for it is given up: the one that may be keeps nothing.
    const origins = await ask({ cache: "no-store", signal: AbortSignal.timeout(PATIENCE) });
    void ask({}).catch(() => {});
    return origins;
  } catch {
    // Without a network, in one that says nothing, or behind a portal that answers in the server's place, the last answer
    // counts, so that documents open offline.
    return ask({ cache: "force-cache" });
  }
}

/** Throws unless this is the answer of the vault's server. */
async function appOrigins(response: Response): Promise<string[]> {
  const json = response.headers.get("content-type")?.split(";", 1)[0] === "application/json";
  const value: unknown = json && response.status === 200 ? await response.json() : undefined;
  const origins = typeof value === "object" && value !== null && "appOrigins" in value && value.appOrigins;
  if (!Array.isArray(origins)) throw new TypeError("no configuration");
  return origins.filter(
    (origin) => typeof origin === "string" && URL.canParse(origin) && new URL(origin).origin === origin,
  );
}

/** This origin has no Service Worker; one that is there nevertheless is removed, and this load not trusted (see `admit`). */
async function dropServiceWorkers(container: ServiceWorkerContainer | undefined): Promise<void> {
  const registrations = (await container?.getRegistrations()) ?? [];
  await Promise.all(registrations.map((registration) => registration.unregister()));
}
