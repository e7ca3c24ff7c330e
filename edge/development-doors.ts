/** Workers that stand before a domain on a developer's machine, and pass on otherwise what it is asked: for faults of services. */

import { COMPATIBILITY_DATE, type Service } from "./wires.ts";

/** The binding that each door takes the place of. */
const DOORS = ["RA", "VERIFIER"] as const;
type DoorName = (typeof DOORS)[number];

export type DevelopmentDoors = {
  /** Modules with an entrypoint `Door`, whose bindings are `TO` (the domain), `FAULTS` (a Fetcher) and `FAULTS_URL`. */
  scripts: Record<DoorName, string>;
  /** Where a door asks what it is to do: an address on 127.0.0.1. */
  url: string;
};

type Bound = Service | { external: { address: string; http: object } };

/** A worker's bindings with its doors, and the workers that they are. */
export function throughDoors(
  bindings: Record<string, Bound>,
  doors: DevelopmentDoors | undefined,
  worker: string,
) {
  if (doors === undefined) return { bindings, workers: [] };
  const { host } = new URL(doors.url);
  const found = DOORS.flatMap((binding) => {
    const to = bindings[binding];
    return to === undefined ? [] : [{ binding, to, name: `${worker}-door-${binding.toLowerCase()}` }];
  });
  const workers = found.map(({ binding, to, name }) => ({
    name,
    modules: true,
    script: doors.scripts[binding],
    compatibilityDate: COMPATIBILITY_DATE,
    serviceBindings: { TO: to, FAULTS: { external: { address: host, http: {} } } },
    bindings: { FAULTS_URL: doors.url },
  }));
  const replaced = found.map(({ binding, name }) => [binding, { name, entrypoint: "Door" }] as const);
  return { bindings: { ...bindings, ...Object.fromEntries(replaced) }, workers };
}
