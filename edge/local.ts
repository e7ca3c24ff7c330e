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
import { isLocalhost } from "./apps.ts";
import { claimPort, type Listener } from "./loopback.ts";
import { readTenants, type Tenants } from "./tenants.ts";

/** A client identity: PEM. */
export type ClientIdentity = { cert: string; key: string };

/** The worker, as `bundleEdge` makes it. */
export type EdgeWorker = {
  script: string;
  /** Miniflare's options as wrangler reads them from wrangler.toml, as far as they are the same on every machine. */
  options: {
    bindings: Record<string, unknown>;
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
  /** COFFER_TENANTS: who is served where. Every origin on localhost is listened to. */
  tenants: TenantTable;
  /** Folder for Durable Objects and R2. */
  persist: string;
  /** Folder with `app/` and `vault/`, as web/pin.ts makes it. */
  assets: string;
  /** Override or add `[vars]` of wrangler.toml. */
  vars?: Record<string, string>;
  /** Called for every line that the worker or workerd writes, beside `logs`. */
  onLog?: (entry: LogEntry) => void;
};

/** As in wrangler.toml: the first app is the shipped page's. */
export type TenantTable = Record<string, { vault: string; apps: string[] }>;

export type LogEntry = { timestamp: number; level: string; message: string };

export type Edge = {
  url: string;
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
  /** A tenant's audit as NDJSON (protocol/audit/export.ts). */
  export(tenant: string): Promise<ReadableStream<Uint8Array>>;
  /** Compact JWS over {tenant, size, root} of the log by the HSM's audit key, or null before the first. */
  lastSignedRoot(tenant: string): Promise<string | null>;
};

const ROOT = fileURLToPath(new URL(".", import.meta.url));
const WORKER = "coffer";
const MAXIMUM_LOGS = 20_000;
/**
 * V8 lets a heap grow large before its first collection, in each of workerd's isolates: after 1.5 GiB of documents workerd
 * stood at 300 MiB, with these at 180 (docs/decisions/0009).
 */
const V8_FLAGS = "--max-semi-space-size=2 --initial-old-space-size=8";

/** Starts the edge and waits until it answers. Throws an `Error` with a sentence if the port is busy. */
export async function startEdge(options: EdgeOptions): Promise<Edge> {
  const vars = {
    COFFER_ENVIRONMENT: "development",
    COFFER_DEV_SIGN_IN: "true",
    COFFER_HSM_URL: `${options.hsm.url}/kmip`,
    ...options.vars,
    COFFER_TENANTS: options.tenants,
  };
  const tenants = readTenants(options.tenants, vars.COFFER_ENVIRONMENT !== "development");
  const [first, ...more] = await claimListeners(tenants);
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
async function claimListeners({ byHost }: Tenants): Promise<[Listener, ...Listener[]]> {
  const origins = [...byHost.values()].map(({ origin }) => origin);
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
