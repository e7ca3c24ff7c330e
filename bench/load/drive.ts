/** Drives a deployment: so many jobs at a time, for so long, and at least the hundred. */

import { median } from "../row.ts";
import type { Api } from "./api.ts";
import type { Browser } from "./browser.ts";
import type { Counts } from "./counted.ts";
import { HUNDRED, KINDS } from "./mix.ts";

export type Drive = {
  /** HTTP requests a second. */
  rate: number;
  /** Milliseconds of each job, by its kind, in ascending order. */
  times: Record<string, number[]>;
  /** How much of all calls of objects the busiest one gets, and how much of all HTTP requests reach it; 0 to 1. */
  busiest: { object: string; ofCalls: number; ofRequests: number };
  /** Of each HTTP request, what follows by alarm included: calls of objects, messages to the HSM, rows written. */
  each: { calls: number; hsm: number; rows: number };
};

export async function drive(
  api: Api,
  browsers: readonly Browser[],
  { lanes, milliseconds }: { lanes: number; milliseconds: number },
): Promise<Drive> {
  const times: Record<string, number[]> = Object.fromEntries(KINDS.map(({ name }) => [name, []]));
  await api.counts();
  const began = performance.now();
  let [next, requests] = [0, 0];
  const lane = async () => {
    while (next < HUNDRED.length || performance.now() - began < milliseconds) {
      const at = next++;
      const kind = HUNDRED[at % HUNDRED.length]!;
      const start = performance.now();
      // A step apart from the hundred's, so that each browser does all kinds.
      await kind.work(browsers[(at + Math.floor(at / HUNDRED.length)) % browsers.length]!);
      times[kind.name]!.push(performance.now() - start);
      requests += kind.requests;
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  const rate = requests / ((performance.now() - began) / 1000);
  for (const each of Object.values(times)) each.sort((a, b) => a - b);
  const counts = await api.counts();
  const each = {
    calls: sum(counts.objects) / requests,
    hsm: sum(counts.hsm) / requests,
    rows: counts.rows / requests,
  };
  return { rate, times, busiest: busiestOf(counts, requests), each };
}

const sum = (counts: Record<string, number>) => Object.values(counts).reduce((all, count) => all + count, 0);

export type Touched = { objects: number; hsm: number };

/** How many objects one job of each kind asks, and how many messages it sends to the HSM: alone, one after the other. */
export async function touched(api: Api, browser: Browser): Promise<Record<string, Touched>> {
  const found: Record<string, Touched> = {};
  for (const { name, work } of KINDS) {
    const each: Touched[] = [];
    await work(browser);
    for (let i = 0; i < 9; i++) {
      await api.counts();
      await work(browser);
      const { objects, hsm } = await api.counts();
      // What brings rows to the audit domain comes by alarm, some time after.
      const asked = Object.keys(objects).filter((object) => !object.startsWith("Audit"));
      const { HSM_AUDIT: _, ...others } = hsm;
      each.push({ objects: asked.length, hsm: sum(others) });
    }
    found[name] = {
      objects: median(each.map(({ objects }) => objects)),
      hsm: median(each.map(({ hsm }) => hsm)),
    };
  }
  return found;
}

function busiestOf({ objects }: Counts, requests: number): Drive["busiest"] {
  const calls = sum(objects);
  const [object, count] = Object.entries(objects).sort(([, a], [, b]) => b - a)[0] ?? ["none", 0];
  return { object, ofCalls: count / calls, ofRequests: count / requests };
}

/** Of values in ascending order. */
export function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
