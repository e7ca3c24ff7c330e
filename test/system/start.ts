/** Starts all real parts in a folder of their own, by the same code as `npm start`, and starts them again on it. */

import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startAll } from "../../cli/start-all.ts";
import { workerdPid } from "./workerd.ts";

type Running = Awaited<ReturnType<typeof startAll>>;

export type SystemOptions = {
  /** More origins that the edge serves the app on, as host names below `coffer.localhost`. */
  otherApps?: string[];
  /** Overrides of the edge's variables. */
  vars?: Record<string, string>;
};

export type System = {
  dir: string;
  /** Durable Objects and R2 on the disk. */
  edgeDir: string;
  appOrigin: string;
  vaultOrigin: string;
  port: number;
  /** What `startAll` returned last. */
  readonly running: Running;
  /** Process id of workerd. */
  readonly pid: number;
  /** All that the edge has logged since it was first started, one entry a line. */
  log(): string;
  /** Stops everything, lets `between` change the state on the disk, and starts everything on it again. */
  restart(between?: () => void | Promise<void>): Promise<void>;
  close(): Promise<void>;
};

/** Everything on free ports; the origins stay the same over restarts. */
export async function startSystem({ otherApps = [], vars = {} }: SystemOptions = {}): Promise<System> {
  const dir = mkdtempSync(join(tmpdir(), "coffer-system-"));
  const [edge, ttlv, https] = await Promise.all([freePort(), freePort(), freePort()]);
  const origin = (name: string) => `http://${name}.coffer.localhost:${edge}`;
  const start = () =>
    startAll({
      dir,
      ports: { edge, ttlv, https },
      vars: { COFFER_APP_ORIGINS: ["app", ...otherApps].map(origin).join(","), ...vars },
    });
  let running = await start();
  const earlier: string[] = [];
  const lines = () => running.edge.logs.map((entry) => JSON.stringify(entry));
  return {
    dir,
    edgeDir: join(dir, "edge"),
    appOrigin: origin("app"),
    vaultOrigin: origin("vault"),
    port: edge,
    get running() {
      return running;
    },
    get pid() {
      return running.edge.pid ?? workerdPid(edge);
    },
    log: () => [...earlier, ...lines()].join("\n"),
    async restart(between) {
      earlier.push(...lines());
      await running.close();
      await between?.();
      running = await start();
    },
    async close() {
      await running.close();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}
