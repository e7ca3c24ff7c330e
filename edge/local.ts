/**
 * The one launcher of the edge on a developer's machine, for `coffer start`, tests and benchmarks: runs the worker that
 * it is given in workerd, all domains in one process or, split, each unit in a process of its own with a folder of its own.
 * workerd itself does mutual TLS to the HSM, with one client certificate for each domain. Node only; imports nothing of the
 * worker.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { convertV4MiniflareOptions, Log, LogLevel, Miniflare } from "miniflare";
import type { Domain } from "#protocol/hierarchy/index.ts";
import { isLocalhost } from "./apps.ts";
import { type DevelopmentDoors, throughDoors } from "./development-doors.ts";
import { type IamHost, withIamIn } from "./iam-host.ts";
import { claimPort, type Listener, quietPorts } from "./loopback.ts";
import { readAccountKeyPlace, readIdentifierPlace } from "./places.ts";
import { readTenants, type Tenant, type Tenants } from "./tenants.ts";
import { UNITS, type Unit, unitsWith } from "./units.ts";
import {
  bindingsOver,
  COMPATIBILITY_DATE,
  type Services,
  servers,
  type Wire,
  wiresOf,
  workerName,
} from "./wires.ts";

/** A client identity: PEM. */
export type ClientIdentity = { cert: string; key: string };

/** Miniflare's options as wrangler reads them from its file, as far as they are the same on every machine. */
export type WorkerOptions = {
  bindings: Record<string, unknown>;
  serviceBindings: Services;
  mtlsCertificates: Record<string, unknown>;
  modulesRules: unknown;
  /** Only where page and vault are served. */
  assets?: Record<string, unknown>;
};

/** The worker, as `bundleEdge` makes it, with all its bindings (wrangler.toml). */
export type EdgeWorker = { script: string; options: WorkerOptions };

/** The bindings of each unit (wrangler.split.toml). */
export type EdgeUnits = Record<Unit, WorkerOptions>;

export type EdgeOptions = {
  worker: EdgeWorker;
  /** Runs each unit as a process of its own, which has what its environment has and nothing else. */
  split?: EdgeUnits;
  /** The IAM is a module of this unit, and has no process of its own. */
  iamIn?: IamHost | undefined;
  hsm: {
    /** `https://127.0.0.1:PORT`, the HSM's HTTPS listener. */
    url: string;
    /** PEM of the authority of the HSM's server certificate. */
    ca: string;
    /** One identity for each domain. */
    clients: Record<Exclude<Domain, "officer">, ClientIdentity>;
    /** Domains that have an HSM of their own. */
    apart?: Partial<Record<ApartDomain, { url: string; ca: string; client: ClientIdentity }>>;
  };
  /** COFFER_TENANTS: who is served where. Every origin on localhost is listened to, but those that are `passedOn`. */
  tenants: TenantTable;
  /** Origins on localhost that an app's own server listens on, which passes on what is the edge's, with the Host header as it came. */
  passedOn?: readonly string[];
  /** Folder for Durable Objects and R2; of units each has a folder of its own in it, by its name. */
  persist: string;
  /** Folder with `app/` and `vault/`, as web/pin.ts makes it. */
  assets: string;
  /** Override or add `[vars]` of wrangler.toml. */
  vars?: Record<string, string>;
  /** Workers before the registration authority and the verifier. Refused in production. */
  doors?: DevelopmentDoors | undefined;
  /** Called for every line that the worker or workerd writes, beside `logs`. */
  onLog?: (entry: LogEntry) => void;
};

/** A domain that needs no key of the hierarchy, and may have what is its in an HSM of its own. */
export type ApartDomain = "ra" | "iam" | "audit";

/** As in wrangler.toml: the first app is the shipped page's. */
export type TenantTable = Record<
  string,
  {
    vault: string;
    apps: string[];
    level?: Tenant["level"];
    secondLayer?: NonNullable<Tenant["secondLayer"]>;
    accountKeys?: Tenant["accountKeys"];
    dataKeys?: Tenant["dataKeys"];
    appKeys?: NonNullable<Tenant["appKeys"]>;
    backEnd?: Partial<Tenant["backEnd"]> & Pick<Tenant["backEnd"], "kind">;
    oidc?: { issuer: string; clientId: string; development?: { issuer: string; subject: string } };
    admins?: ({ issuer: string; subject: string } | { email: string })[];
  }
>;

export type LogEntry = { timestamp: number; level: string; message: string };

export type Edge = {
  url: string;
  /** Process ids of workerd, by the unit, or `coffer` where all are one; null where it cannot be determined (no /proc). */
  pids: Record<string, number | null>;
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
/** What answers where miniflare listens for a unit that nobody may ask from outside. */
const ENTRY = "entry";
/** The one worker that is bound to what an operator may ask: nothing from outside reaches it. */
const OPERATOR = "operator";
const NOT_HERE = "export default { fetch: () => new Response(null, { status: 404 }) };";
const MAXIMUM_LOGS = 20_000;
/** Each process of workerd has its listeners for the end of this one: those of units are more than Node takes for no leak. */
const EXIT_LISTENERS = 4 * UNITS.length;
/**
 * V8 lets a heap grow large before its first collection, in each of workerd's isolates: after 1.5 GiB of documents workerd
 * stood at 300 MiB, with these at 180 (docs/decisions/0009).
 */
const V8_FLAGS = "--max-semi-space-size=2 --initial-old-space-size=8";

/** One workerd: which worker it runs, its folder, and where it listens. */
type Process = {
  name: string;
  options: WorkerOptions;
  persist: string;
  listeners: Listener[];
  wires: Wire[];
};

/** Starts the edge and waits until it answers. Throws an `Error` with a sentence if the port is busy. */
export async function startEdge(options: EdgeOptions): Promise<Edge> {
  const vars = {
    COFFER_ENVIRONMENT: "development",
    COFFER_HSM_URL: `${options.hsm.url}/kmip`,
    ...Object.fromEntries(
      Object.entries(options.hsm.apart ?? {}).map(([domain, { url }]) => [
        `COFFER_HSM_URL_${domain.toUpperCase()}`,
        `${url}/kmip`,
      ]),
    ),
    ...options.vars,
    ...(options.iamIn && { COFFER_IAM_IN: options.iamIn }),
    COFFER_TENANTS: options.tenants,
  };
  const production = vars.COFFER_ENVIRONMENT !== "development";
  if (production && options.doors) throw new Error("Faults of services are for development");
  const tenants = readTenants(options.tenants, production);
  readAccountKeyPlace({ ...options.vars, COFFER_IAM_IN: options.iamIn });
  readIdentifierPlace(options.vars ?? {});
  const listeners = await claimListeners(tenants, options.passedOn);
  const logs: LogEntry[] = [];
  const onLog = (entry: LogEntry) => {
    if (logs.length < MAXIMUM_LOGS) logs.push(entry);
    options.onLog?.(entry);
  };
  // Miniflare takes workerd's flags from the environment alone.
  process.env.MINIFLARE_WORKERD_V8_FLAGS ??= V8_FLAGS;
  process.setMaxListeners(Math.max(process.getMaxListeners(), EXIT_LISTENERS));
  const running: Miniflare[] = [];
  const pids: Record<string, number | null> = {};
  const dispose = async () => void (await Promise.all(running.map((miniflare) => miniflare.dispose())));
  try {
    // One after the other: what is new among the processes is the one that was started.
    for (const started of await processesOf(options, listeners)) {
      const before = workerdProcesses();
      const miniflare = new Miniflare(
        convertV4MiniflareOptions(miniflareOptions(started, options, vars, onLog)),
      );
      running.push(miniflare);
      await miniflare.ready;
      pids[started.name] = workerdProcesses().find((candidate) => !before.includes(candidate)) ?? null;
    }
  } catch (error) {
    await dispose().catch(() => {});
    throw error;
  }
  const [first] = listeners;
  return {
    url: `http://${first.host}:${first.port}`,
    pids,
    logs,
    async audit() {
      const process = running[options.split ? unitsWith(options.iamIn).indexOf("audit") : 0];
      const audit = (await process?.getBindings<Record<string, AuditReader>>(OPERATOR))?.AUDIT;
      if (audit === undefined) throw new Error("No worker is bound to the audit domain");
      return audit;
    },
    dispose,
  };
}

/** All in one, or each unit. The first listens to the origins. */
async function processesOf(
  { split, iamIn, worker, persist }: EdgeOptions,
  listeners: Listener[],
): Promise<Process[]> {
  if (split === undefined) return [{ name: WORKER, options: worker.options, persist, listeners, wires: [] }];
  const units: Record<string, WorkerOptions> =
    iamIn === undefined ? split : withIamIn(split, iamIn, (unit) => workerName(unit as Unit));
  const services = Object.values(units).map(({ serviceBindings }) => serviceBindings);
  const ports = await quietPorts(services.flatMap(Object.keys).length);
  const wires = wiresOf(services, () => ports.pop() ?? 0);
  return unitsWith(iamIn).flatMap((unit) => {
    const options = units[unit];
    const at = { persist: join(persist, unit), listeners: unit === "app" ? listeners : [] };
    return options === undefined ? [] : [{ name: workerName(unit), options, ...at, wires }];
  });
}

function miniflareOptions(
  { name, options, persist, listeners, wires }: Process,
  { worker, hsm, assets: directory, doors: development }: EdgeOptions,
  vars: Record<string, unknown>,
  onLog: (entry: LogEntry) => void,
) {
  const { mtlsCertificates, modulesRules: _, assets, serviceBindings, ...bindings } = options;
  const [first, ...more] = listeners;
  const { sockets, doors } = servers(wires, name);
  const services = wires.length > 0 ? bindingsOver(wires, serviceBindings) : serviceBindings;
  const through = throughDoors(services, development, name);
  const nothing = { modules: true, script: NOT_HERE, compatibilityDate: COMPATIBILITY_DATE };
  const operator = { ...nothing, name: OPERATOR, serviceBindings: { AUDIT: { name, entrypoint: "Audit" } } };
  return {
    ...(first ?? { host: "127.0.0.1", port: 0 }),
    cf: false as const,
    log: new Log(LogLevel.NONE),
    logRequests: false,
    unsafeLocalExplorer: false,
    unsafeTriggerHandlers: false,
    telemetry: { enabled: false },
    resourcePersistencePath: persist,
    handleStructuredLogs: ({ timestamp, level, message }: LogEntry) => onLog({ timestamp, level, message }),
    workers: [
      ...(first ? [] : [{ ...nothing, name: ENTRY }]),
      {
        ...bindings,
        name,
        modules: true,
        unsafeDirectSockets: [...more, ...sockets],
        script: worker.script,
        // A name for stack traces: workerd wants it below the root.
        rootPath: ROOT,
        scriptPath: join(ROOT, "index.bundle.mjs"),
        ...(assets && { assets: { ...assets, directory } }),
        serviceBindings: {
          ...through.bindings,
          ...hsmBindings(hsm, mtlsCertificates),
        },
        bindings: { ...bindings.bindings, ...overriding(vars, bindings.bindings) },
      },
      ...doors,
      ...through.workers,
      ...([WORKER, workerName("audit")].includes(name) ? [operator] : []),
    ],
  };
}

/** Where the tenants and the HSM are is told to whose configuration asks for it. */
function overriding(vars: Record<string, unknown>, declared: Record<string, unknown>) {
  const asked = /^COFFER_(TENANTS|HSM_URL.*|ATTESTATION|VERIFIER_PUBLIC_KEY)$/;
  // Secrets, which no file declares.
  const secret = /^COFFER_(VERIFIER_KEY|PLATFORM_KEYS)$/;
  const declares = (variable: string) =>
    Object.hasOwn(declared, secret.test(variable) ? "COFFER_ATTESTATION" : variable);
  // The KMS's: it alone keeps keys for a while.
  const ofKms = (variable: string) =>
    !variable.startsWith("COFFER_AWS_SECRET") || Object.hasOwn(declared, "COFFER_KEY_CACHE_SECONDS");
  return Object.fromEntries(
    Object.entries(vars).filter(
      ([variable]) =>
        ofKms(variable) && (!(asked.test(variable) || secret.test(variable)) || declares(variable)),
    ),
  );
}

/** Every `mtls_certificates` binding of wrangler.toml becomes an external service of workerd with the domain's identity. */
function hsmBindings(
  { url, ca, clients, apart = {} }: EdgeOptions["hsm"],
  declared: Record<string, unknown>,
) {
  const shared = (client: ClientIdentity | undefined) => client && { url, ca, client };
  return Object.fromEntries(
    Object.keys(declared).map((binding) => {
      const domain = binding.replace(/^HSM_/, "").toLowerCase() as keyof typeof clients & ApartDomain;
      const reached =
        binding === "HSM_RECIPIENTS" ? shared(clients.ra) : (apart[domain] ?? shared(clients[domain]));
      if (reached === undefined) throw new Error(`No HSM client identity for ${binding}`);
      return [binding, { external: mutualTls(reached) }];
    }),
  );
}

function mutualTls({ url, ca, client }: { url: string; ca: string; client: ClientIdentity }) {
  const { host, hostname } = new URL(url);
  const keypair = { privateKey: client.key, certificateChain: client.cert };
  const tlsOptions = { keypair, trustedCertificates: [ca] };
  return { address: host, https: { options: {}, certificateHost: hostname, tlsOptions } };
}

/** Where to listen for the origins on localhost. Throws an `Error` with a sentence if a port is taken. */
async function claimListeners(
  { byHost }: Tenants,
  passedOn: readonly string[] = [],
): Promise<[Listener, ...Listener[]]> {
  const origins = [...byHost.values()].map(({ origin }) => origin);
  const own = origins.filter((origin) => isLocalhost(origin) && !passedOn.includes(origin));
  const ports = new Set(own.map((origin) => Number(new URL(origin).port || 80)));
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
