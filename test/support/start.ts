/** Starts all real parts in a folder of their own, by the same code as `npm start`, and starts them again on it. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type StartOptions, startAll } from "#cli/start-all.ts";
import { newStateFolder } from "#cli/state-folder.ts";
import type { IamHost } from "#edge/iam-host.ts";
import type { ApartDomain } from "#edge/local.ts";
import type { Level } from "#protocol/level.ts";
import { freePorts } from "./ports.ts";

type Running = Awaited<ReturnType<typeof startAll>>;

type FivePorts = [number, number, number, number, number, ...number[]];

export type SystemOptions = {
  /** More apps, by name: each is served the page on an origin of its own (`System.origin`). */
  otherApps?: string[];
  /** Those of them that a server of the test's own listens for, and passes on what is the edge's. */
  passedOn?: string[];
  /** Release level of the tenant, and of the `otherTenants` by name; `data` where it is not said. */
  level?: Level;
  levels?: Record<string, Level>;
  /** What the tenant's master key is made as; AES-256 where it is not said. */
  masterKey?: StartOptions["masterKey"];
  /** What else stands of the tenant in the table of tenants; asked for at each start. */
  settings?: () => NonNullable<StartOptions["settings"]>;
  /** The same of the `otherTenants`, by name. */
  tenantSettings?: Record<string, NonNullable<StartOptions["settings"]>>;
  /** More tenants, by name, each with an app and a vault of its own (`System.tenant`). */
  otherTenants?: string[];
  /** Who administers the tenant, by names. */
  admins?: string[];
  /** What page and vault are on; localhost where it is not said. */
  host?: StartOptions["host"];
  /** Each unit of the edge as a process of its own. */
  split?: boolean;
  /** In split operation: the unit that the IAM is a module of. */
  iamIn?: IamHost;
  /** Domains that have an HSM of their own. */
  apart?: ApartDomain[];
  /** Overrides of the edge's variables. */
  vars?: Record<string, string>;
  /** Puts state into the folder, before anything is started on it. */
  prepare?: (dir: string) => void;
};

export type System = {
  dir: string;
  /** Durable Objects and R2 on the disk; of units each has a folder there. */
  edgeDir: string;
  appOrigin: string;
  vaultOrigin: string;
  /** Origin of one of the `otherApps`. */
  origin(name: string): string;
  /** Origins of one of the `otherTenants`. */
  tenant(name: string): { appOrigin: string; vaultOrigin: string };
  /** What `startAll` returned last. */
  readonly running: Running;
  /** Process id of workerd (Linux; throws elsewhere). */
  readonly pid: number;
  /** All that the edge has logged since it was first started, one entry a line. */
  log(): string;
  /** Stops everything, lets `between` change the state on the disk, and starts everything on it again. */
  restart(between?: () => void | Promise<void>): Promise<void>;
  close(): Promise<void>;
};

/** Everything on free ports; the origins stay the same over restarts. */
export async function startSystem(options: SystemOptions = {}): Promise<System> {
  const { otherApps = [], otherTenants = [], level, levels = {} } = options;
  const {
    tenantSettings = {},
    vars = {},
    prepare,
    host = "localhost",
    split = false,
    iamIn,
    apart = [],
  } = options;
  const dir = mkdtempSync(join(tmpdir(), "coffer-system-"));
  prepare?.(dir);
  const count = 5 + otherApps.length + 2 * otherTenants.length;
  const [app, vault, ttlv, https, identity, ...others] = (await freePorts(count)) as FivePorts;
  const localhost = (port: number) => `http://${host}:${port}`;
  const origins = new Map(otherApps.map((name, index) => [name, localhost(others[index]!)]));
  const tenants = new Map(
    otherTenants.map((name) => {
      const [appOrigin, vaultOrigin] = others.splice(otherApps.length, 2).map(localhost) as [string, string];
      return [name, { appOrigin, vaultOrigin }];
    }),
  );
  const table = [...tenants].map(([name, { appOrigin, vaultOrigin }]) => [
    name,
    {
      ...tenantSettings[name],
      vault: vaultOrigin,
      apps: [`page=${appOrigin}`],
      ...(levels[name] && { level: levels[name] }),
    },
  ]);
  const start = () =>
    startAll({
      dir,
      ports: { app, vault, ttlv, https, identity, faults: 0 },
      apps: [...origins.values()],
      passedOn: (options.passedOn ?? []).flatMap((name) => origins.get(name) ?? []),
      admins: options.admins ?? [],
      ...(level && { level }),
      ...(options.masterKey && { masterKey: options.masterKey }),
      ...(options.settings && { settings: options.settings() }),
      tenants: Object.fromEntries(table),
      vars,
      host,
      split,
      iamIn,
      apart,
    });
  let running = await start();
  const earlier: string[] = [];
  const lines = () => running.edge.logs.map((entry) => JSON.stringify(entry));
  return {
    dir,
    edgeDir: newStateFolder(dir, split, iamIn).path,
    appOrigin: localhost(app),
    vaultOrigin: localhost(vault),
    origin: (name) => origins.get(name)!,
    tenant: (name) => tenants.get(name)!,
    get running() {
      return running;
    },
    get pid() {
      const [pid] = Object.values(running.edge.pids);
      if (pid === undefined || pid === null) throw new Error("The process of workerd cannot be told here");
      return pid;
    },
    log: () => [...earlier, ...lines()].join("\n"),
    async restart(between) {
      earlier.push(...lines());
      await running.close();
      try {
        await between?.();
      } finally {
        running = await start();
      }
    },
    async close() {
      await running.close();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
