/**
 * The one launcher of the edge on a developer's machine, for `coffer start`, tests and benchmarks: runs the worker that
 * it is given in workerd. workerd itself does mutual TLS to the HSM, with one
 * client certificate for each domain. Node only; imports nothing of the worker.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { convertV4MiniflareOptions, Log, LogLevel, Miniflare } from "miniflare";
import type { Domain } from "#protocol/hierarchy/index.ts";
import { configuredApps, isLocalhost } from "./apps.ts";
import { claimPort, type Listener } from "./loopback.ts";

/** A client identity: PEM. */
export type ClientIdentity = { cert: string; key: string };

/** The worker, as `bundleEdge` makes it. */
export type EdgeWorker = {
  script: string;
  /** Miniflare's options as wrangler reads them from wrangler.toml, as far as they are the same on every machine. */
  options: {
    bindings: Record<string, string>;
    serviceBindings: Record<string, { name: string; entrypoint: string }>;
    mtlsCertificates: Record<string, unknown>;
    modulesRules: unknown;
    assets: Record<string, unknown>;
  };
};

export type EdgeOptions = {
  worker: EdgeWorker;
  hsm: {
    /** `https://127.0.0.1:PORT`, the HSM's HTTPS listener. */
    url: string;
    /** PEM of the authority of the HSM's server certificate. */
    ca: string;
    /** One identity for each domain. */
    clients: Record<Exclude<Domain, "officer">, ClientIdentity>;
  };
  /** Ports of the two origins, `http://localhost:PORT` (docs/decisions/0012). */
  ports: { app: number; vault: number };
  /** Folder for Durable Objects and R2. */
  persist: string;
  /** Folder with `app/` and `vault/`, as web/build.ts makes it. */
  assets: string;
  /** Override or add `[vars]` of wrangler.toml. Every origin on localhost that they name is listened to. */
  vars?: Record<string, string>;
  /** Called for every line that the worker or workerd writes, beside `logs`. */
  onLog?: (entry: LogEntry) => void;
};

export type LogEntry = { timestamp: number; level: string; message: string };

export type Edge = {
  url: string;
  appOrigin: string;
  vaultOrigin: string;
  /** Process id of workerd; null where it cannot be determined (no /proc). */
  pid: number | null;
  logs: LogEntry[];
  /**
   * The audit domain's entrypoint, as an operator may ask it: there is no way to it from the network. A call blocks this
   * process until it is answered, so nothing is offered here that needs an HSM which may run in the same process.
   */
  audit(): Promise<AuditReader>;
  dispose(): Promise<void>;
};

export type AuditReader = {
  /** NDJSON, one link {sequence, previous, entry, hash} a line. */
  export(): Promise<ReadableStream<Uint8Array>>;
  /** Compact JWS over {tenant, sequence, hash} by the HSM's audit key, or null before the first. */
  lastSignedHead(): Promise<string | null>;
};

const ROOT = fileURLToPath(new URL(".", import.meta.url));
const WORKER = "coffer";
/** The shipped page's id as an app, whatever port it is on. */
const PAGE = "page";
const MAXIMUM_LOGS = 20_000;
/**
 * V8 lets a heap grow large before its first collection, in each of workerd's isolates: after 1.5 GiB of documents workerd
 * stood at 300 MiB, with these at 180 (docs/decisions/0009).
 */
const V8_FLAGS = "--max-semi-space-size=2 --initial-old-space-size=8";

/** Starts the edge and waits until it answers. Throws an `Error` with a sentence if the port is busy. */
export async function startEdge(options: EdgeOptions): Promise<Edge> {
  const appOrigin = `http://localhost:${options.ports.app}`;
  const vaultOrigin = `http://localhost:${options.ports.vault}`;
  const vars = {
    COFFER_ENVIRONMENT: "development",
    COFFER_DEV_SIGN_IN: "true",
    COFFER_APP_ORIGINS: `${PAGE}=${appOrigin}`,
    COFFER_VAULT_ORIGIN: vaultOrigin,
    COFFER_HSM_URL: `${options.hsm.url}/kmip`,
    ...options.vars,
  };
  const [first, ...more] = await claimListeners(vars);
  const logs: LogEntry[] = [];

  const { script, options: workerOptions } = options.worker;
  const { mtlsCertificates, modulesRules: _, ...bindings } = workerOptions;
  const before = workerdProcesses();
  // Miniflare takes workerd's flags from the environment alone.
  process.env.MINIFLARE_WORKERD_V8_FLAGS ??= V8_FLAGS;
  const miniflare = new Miniflare(
    convertV4MiniflareOptions({
      ...first,
      cf: false,
      log: new Log(LogLevel.NONE),
      logRequests: false,
      unsafeLocalExplorer: false,
      unsafeTriggerHandlers: false,
      telemetry: { enabled: false },
      resourcePersistencePath: options.persist,
      handleStructuredLogs: ({ timestamp, level, message }) => {
        const entry = { timestamp, level, message };
        if (logs.length < MAXIMUM_LOGS) logs.push(entry);
        options.onLog?.(entry);
      },
      workers: [
        {
          ...bindings,
          name: WORKER,
          modules: true,
          unsafeDirectSockets: more,
          script,
          // A name for stack traces: workerd wants it below the root.
          rootPath: ROOT,
          scriptPath: join(ROOT, "index.bundle.mjs"),
          assets: { ...bindings.assets, directory: options.assets },
          serviceBindings: { ...bindings.serviceBindings, ...hsmBindings(options.hsm, mtlsCertificates) },
          bindings: { ...bindings.bindings, ...vars },
        },
      ],
    }),
  );
  try {
    await miniflare.ready;
  } catch (error) {
    await miniflare.dispose().catch(() => {});
    throw error;
  }
  const pid = workerdProcesses().find((candidate) => !before.includes(candidate)) ?? null;
  return {
    url: `http://${first.host}:${first.port}`,
    appOrigin,
    vaultOrigin,
    pid,
    logs,
    audit: async () => (await miniflare.getBindings<{ AUDIT_GATEWAY: AuditReader }>(WORKER)).AUDIT_GATEWAY,
    dispose: () => miniflare.dispose(),
  };
}

/** Every `mtls_certificates` binding of wrangler.toml becomes an external service of workerd with the domain's identity. */
function hsmBindings({ url, ca, clients }: EdgeOptions["hsm"], declared: Record<string, unknown>) {
  const { host, hostname } = new URL(url);
  return Object.fromEntries(
    Object.keys(declared).map((binding) => {
      const domain = binding.replace(/^HSM_/, "").toLowerCase() as keyof typeof clients;
      const identity = clients[domain];
      if (identity === undefined) throw new Error(`No HSM client identity for ${binding}`);
      const tlsOptions = {
        keypair: { privateKey: identity.key, certificateChain: identity.cert },
        trustedCertificates: [ca],
      };
      return [
        binding,
        { external: { address: host, https: { options: {}, certificateHost: hostname, tlsOptions } } },
      ];
    }),
  );
}

/** Where to listen for the origins on localhost. Throws an `Error` with a sentence if a port is taken. */
async function claimListeners(
  vars: Record<"COFFER_APP_ORIGINS" | "COFFER_VAULT_ORIGIN", string>,
): Promise<[Listener, ...Listener[]]> {
  const origins = [...configuredApps(vars).map(({ origin }) => origin), vars.COFFER_VAULT_ORIGIN];
  const ports = new Set(origins.filter(isLocalhost).map((origin) => Number(new URL(origin).port || 80)));
  const [first, ...more] = (await Promise.all([...ports].map(claimPort))).flat();
  if (first === undefined) throw new Error("No origin is on localhost: there is nothing to listen to.");
  return [first, ...more];
}

/** Process ids of our own workerd children (Linux). */
function workerdProcesses(): number[] {
  let entries: string[];
  try {
    entries = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  } catch {
    return [];
  }
  return entries.map(Number).filter((pid) => {
    try {
      const [, command, parent] =
        /^\d+ \((.*)\) \S (\d+)/.exec(readFileSync(`/proc/${pid}/stat`, "utf8")) ?? [];
      return command === "workerd" && Number(parent) === process.pid;
    } catch {
      return false;
    }
  });
}
