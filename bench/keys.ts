import { EdgeClient } from "#test/support/edge-client.ts";
import { json } from "#test/support/http.ts";
import { instanceOf } from "#test/support/instance.ts";
import { startSystem } from "#test/support/start.ts";
import { quantile } from "./load/drive.ts";
import { type Figures, measure } from "./measure.ts";
import { progress, type Report } from "./row.ts";

/** Requests under way at a time. */
const LOADS = [1, 8, 64];
const MEASURED_MS = 2500;
const WARM_UP_MS = 300;
/** Keys of one rewrap, compared with one key. */
const SEVERAL = 100;
const TURNS = 7;

/** Data keys, rewraps and grants of one account at a real edge and HSM; and a rewrap of a hundred keys beside one of a single key. */
export async function run(report: Report): Promise<void> {
  progress("starting a deployment");
  const unbounded = { COFFER_DATA_KEYS_PER_HOUR: "1000000", COFFER_REQUESTS_PER_TEN_SECONDS: "1000000" };
  const system = await startSystem({ vars: unbounded });
  try {
    const { client, enrolled } = await instanceOf(await EdgeClient.signedIn(system, "bench"));
    const { wrappingCertificate: certificate } = enrolled;
    const ask = async (path: string, body: object) => json(await client.rest("POST", path, body));
    const order = (count: number) => {
      const body = { account: client.account, count, purpose: "document" };
      return ask("/kms/data-keys", body) as Promise<{ edks: string[] }>;
    };
    const edks: string[] = [];
    while (edks.length < SEVERAL) edks.push(...(await order(10)).edks);
    const [edk = ""] = edks;
    const rewrap = () => ask("/kms/loads", { way: "rewrap", edk, certificate });
    const works: [string, () => Promise<unknown>][] = [
      ["data-key", () => order(1)],
      ["rewrap", rewrap],
      ["grant", () => ask("/kms/grants", { edks: [edk], certificate, life: 1 })],
    ];
    for (const [name, once] of works) {
      let first: Figures | undefined;
      for (const load of LOADS) {
        progress(`${name}, ${load} under way`);
        await measure(once, load, WARM_UP_MS);
        const figures = await measure(once, load, MEASURED_MS);
        tell(report, name, load, figures, first);
        first ??= figures;
      }
    }
    progress(`${SEVERAL} keys in one rewrap`);
    const several = { way: "several", edks: edks.slice(0, SEVERAL), certificate };
    const one = await middle(rewrap);
    const all = await middle(() => ask("/kms/loads", several));
    report({ id: "keys/rewrap-of-1", value: one, unit: "ms", versus: null, ratio: null });
    const versus = "keys/rewrap-of-1";
    report({ id: `keys/rewrap-of-${SEVERAL}`, value: all, unit: "ms", versus, ratio: all / one });
  } finally {
    await system.close();
  }
}

function tell(
  report: Report,
  name: string,
  load: number,
  figures: Figures,
  first: Figures | undefined,
): void {
  for (const figure of ["rate", "p50", "p99"] as const) {
    const value = figures[figure];
    const unit = figure === "rate" ? `${name}s/s` : "ms";
    const compared = first
      ? { versus: `keys/${name}/1/${figure}`, ratio: value / first[figure] }
      : { versus: null, ratio: null };
    report({ id: `keys/${name}/${load}/${figure}`, value, unit, ...compared });
  }
}

async function middle(once: () => Promise<unknown>): Promise<number> {
  const times: number[] = [];
  for (let turn = 0; turn < TURNS; turn++) {
    const before = performance.now();
    await once();
    times.push(performance.now() - before);
  }
  return quantile(
    times.sort((a, b) => a - b),
    0.5,
  );
}
