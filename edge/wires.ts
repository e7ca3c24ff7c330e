/** How units that run as processes of their own on one machine reach each other: a socket for each binding of one to another. */
import type { Unit } from "./units.ts";

/** Of workers that are made for one machine alone. */
export const COMPATIBILITY_DATE = "2026-10-01";

/** A service binding, as miniflare has it. */
export type Service = { name: string; entrypoint: string; props?: Record<string, string> };
export type Services = Record<string, Service>;

/** What one unit serves at one address: an entrypoint, and who calls there. */
export type Wire = Service & { port: number };

/** The name of a unit's worker, as in wrangler.split.toml. */
export function workerName(unit: Unit): string {
  return `coffer-${unit}`;
}

/** One for each entrypoint that a unit is bound to, with each of its `props`. `port` gives another one each time. */
export function wiresOf(units: readonly Services[], port: () => number): Wire[] {
  const services = units.flatMap((unit) => Object.values(unit));
  const distinct = new Map(services.map((service) => [keyOf(service), service]));
  return [...distinct.values()].map((service) => ({ ...service, port: port() }));
}

/** A unit's bindings to others, each as the socket where it is served. */
export function bindingsOver(wires: Wire[], services: Services) {
  return Object.fromEntries(
    Object.entries(services).map(([binding, service]) => {
      const wire = wires.find((candidate) => keyOf(candidate) === keyOf(service));
      if (wire === undefined) throw new Error(`Nobody serves ${binding}`);
      return [binding, { external: { address: `${HOST}:${wire.port}`, http: {} } }];
    }),
  );
}

/**
 * The workers that serve what others are bound to: the unit's own, by its entrypoints, and a door of its own for each caller
 * whom the binding names, since a socket says nothing of who calls.
 */
export function servers(wires: Wire[], name: string) {
  const served = wires.filter((wire) => wire.name === name);
  const sockets = served
    .filter(({ props }) => props === undefined)
    .map(({ entrypoint, port }) => ({ host: HOST, port, entrypoint }));
  const doors = served
    .filter(({ props }) => props !== undefined)
    .map(({ port, ...service }) => ({
      name: `${name}-${Object.values(service.props ?? {}).join("-")}`,
      modules: true,
      script: DOOR,
      compatibilityDate: COMPATIBILITY_DATE,
      serviceBindings: { TO: service },
      unsafeDirectSockets: [{ host: HOST, port, entrypoint: "Door" }],
    }));
  return { sockets, doors };
}

const HOST = "127.0.0.1";
/** Only rows are appended by others. */
const DOOR = `import { WorkerEntrypoint } from "cloudflare:workers";
export class Door extends WorkerEntrypoint {
  append(batch) {
    return this.env.TO.append(batch);
  }
}
export default {};
`;

function keyOf({ name, entrypoint, props }: Service): string {
  return JSON.stringify([name, entrypoint, props ?? null]);
}
