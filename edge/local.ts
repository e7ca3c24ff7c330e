/**
 * The one launcher of the edge on a developer's machine, for `npm start`, tests and benchmarks: bundles the worker,
 * takes its bindings from wrangler.toml, and runs it in workerd. workerd itself does mutual TLS to the HSM, with one
 * client certificate for each domain. Node only; imports nothing of the worker.
 */
import { readdirSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { convertV4MiniflareOptions, Log, LogLevel, Miniflare } from "miniflare";

/** A client identity: PEM. */
export type ClientIdentity = { cert: string; key: string };

export type EdgeOptions = {
  hsm: {
    /** `https://127.0.0.1:PORT`, the HSM's HTTPS listener. */
    url: string;
    /** PEM of the authority of the HSM's server certificate. */
    ca: string;
    /** One identity for each domain. */
    clients: Record<"kms" | "ra" | "iam" | "caas" | "audit", ClientIdentity>;
  };
  /** Port of both origins on loopback; 0 takes a free one. */
  port: number;
  host?: string;
  /** Folder for Durable Objects and R2. */
  persist: string;
  /** Folder with `app/` and `vault/`, as web/build.ts makes it. */
  assets: string;
  /** Override or add `[vars]` of wrangler.toml. */
  vars?: Record<string, string>;
  /** Called for every line that the worker or workerd writes, beside `logs`. */
  onLog?: (entry: LogEntry) => void;
};

export type LogEntry = { timestamp: number; level: string; message: string };

export type Edge = {
  url: string;
  appOrigin: string;
  vaultOrigin: string;
  /** Process id of workerd; null where it cannot be told (no /proc). */
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

const WORKER = "coffer";
const MAXIMUM_LOGS = 20_000;
/**
 * V8 lets a heap grow large before its first collection, in each of workerd's isolates: after 1.5 GiB of documents workerd
 * stood at 300 MiB, with these at 180 (docs/decisions/0009).
 */
const V8_FLAGS = "--max-semi-space-size=2 --initial-old-space-size=8";

/** Starts the edge and waits until it answers. Throws an `Error` with a sentence if the port is busy. */
export async function startEdge(options: EdgeOptions): Promise<Edge> {
  const host = options.host ?? "127.0.0.1";
  const port = await claim(host, options.port);
  const appOrigin = `http://app.coffer.localhost:${port}`;
  const vaultOrigin = `http://vault.coffer.localhost:${port}`;
  const logs: LogEntry[] = [];

  const [script, workerOptions] = await Promise.all([bundle(), readConfiguration(options.assets)]);
  const { mtlsCertificates, modulesRules: _, ...bindings } = workerOptions;
  const before = workerdProcesses();
  // Miniflare takes workerd's flags from the environment alone.
  process.env.MINIFLARE_WORKERD_V8_FLAGS ??= V8_FLAGS;
  const miniflare = new Miniflare(
    convertV4MiniflareOptions({
      host,
      port,
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
          script,
          scriptPath: fileURLToPath(new URL("./index.bundle.mjs", import.meta.url)),
          serviceBindings: { ...bindings.serviceBindings, ...hsmBindings(options.hsm, mtlsCertificates) },
          bindings: {
            ...bindings.bindings,
            COFFER_ENVIRONMENT: "development",
            COFFER_DEV_SIGN_IN: "true",
            COFFER_APP_ORIGINS: appOrigin,
            COFFER_VAULT_ORIGIN: vaultOrigin,
            COFFER_HSM_URL: `${options.hsm.url}/kmip`,
            ...options.vars,
          },
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
    url: `http://${host}:${port}`,
    appOrigin,
    vaultOrigin,
    pid,
    logs,
    audit: async () => (await miniflare.getBindings<{ AUDIT_GATEWAY: AuditReader }>(WORKER)).AUDIT_GATEWAY,
    dispose: () => miniflare.dispose(),
  };
}

/** One file for workerd. `conditions` choose the Web-standard builds; Node built-ins fail the build. */
export async function bundle(): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL("./index.ts", import.meta.url))],
    bundle: true,
    write: false,
    format: "esm",
    target: "es2024",
    conditions: ["workerd", "worker", "browser"],
    external: ["cloudflare:*"],
    logLevel: "silent",
  });
  return outputFiles[0]!.text;
}

type WorkerOptions = {
  bindings: Record<string, string>;
  serviceBindings: Record<string, { name: string; entrypoint: string }>;
  mtlsCertificates: Record<string, unknown>;
  modulesRules: unknown;
};

async function readConfiguration(assets: string): Promise<WorkerOptions> {
  // It would warn that mTLS bindings have no local twin: `hsmBindings` is that twin.
  process.env.WRANGLER_LOG ??= "error";
  process.env.WRANGLER_SEND_METRICS ??= "false";
  const { unstable_getMiniflareWorkerOptions } = await import("wrangler");
  const { workerOptions } = unstable_getMiniflareWorkerOptions(
    fileURLToPath(new URL("../wrangler.toml", import.meta.url)),
    undefined,
    { overrides: { assets: { directory: assets } } },
  );
  return workerOptions as unknown as WorkerOptions;
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

/** Finds out early, and says clearly, that a port is taken. */
function claim(host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", (cause: NodeJS.ErrnoException) => {
      const sentence =
        cause.code === "EADDRINUSE"
          ? `Port ${port} on ${host} is in use: stop what uses it, or choose another port.`
          : `Cannot listen on ${host}:${port}: ${cause.message}`;
      reject(new Error(sentence, { cause }));
    });
    server.listen({ host, port, exclusive: true }, () => {
      const address = server.address();
      const claimed = typeof address === "object" && address !== null ? address.port : port;
      server.close(() => resolve(claimed));
    });
  });
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
