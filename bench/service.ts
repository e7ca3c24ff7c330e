import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { encodeBase64url } from "#protocol/base64url.ts";
import { operations } from "#protocol/contract/index.ts";
import { caasHost, sayOperations } from "#test/hosts/caas.ts";
import {
  callService,
  contextOf,
  custodianOf,
  makeAuthority,
  newKeyAt,
  serviceClient,
} from "#test/hosts/index.ts";
import type { EdgeClient } from "#test/support/edge-client.ts";
import { type System, startSystem } from "#test/support/start.ts";
import { serveMicroservice } from "#web/hosts/node/index.ts";
import { startSidecar } from "#web/hosts/sidecar/index.ts";
import { type Figures, measure } from "./measure.ts";
import { progress, type Report } from "./row.ts";
import { type InPage, openPage } from "./service/in-page.ts";

/** Requests under way at a time. */
const LOADS = [1, 8];
const MEASURED_MS = 1500;
const WARM_UP_MS = 300;

/** Milliseconds of a network between an app and the CaaS, for a round trip. */
const NETWORKS = [0, 20, 50];

/** Bytes of what is encrypted. */
const BYTES = 1024;

/** `versus`: the work that it is compared with. `measured`: calls under way, for so many milliseconds. */
type Work = {
  name: string;
  versus: string | null;
  measured: (load: number, milliseconds: number) => Promise<Figures>;
};

function work(name: string, versus: string | null, once: () => Promise<unknown>): Work {
  return { name, versus, measured: (load, milliseconds) => measure(once, load, milliseconds) };
}

/**
 * An encryption of 1 KiB in a Node process's microservice: called over its port, over REST on a Unix socket and on loopback, and
 * through a sidecar that syncs an audit line for each; beside WebCrypto's own AES-GCM of as many bytes in the same run. The same of the CaaS
 * on loopback, and with the time of a network added to each round trip: its ratio is to the dependency, how many times as long it takes. And of
 * the microservice in the vault's frame, in Chromium: over the page's port, beside the CaaS, and through the app's Service Worker.
 */
export async function run(report: Report): Promise<void> {
  const closing: (() => unknown)[] = [];
  const dir = mkdtempSync(join(tmpdir(), "coffer-bench-"));
  closing.unshift(() => rmSync(dir, { recursive: true, force: true }));
  try {
    progress("starting a deployment");
    // The CaaS refuses nobody for asking often: it is measured as far as it goes.
    const unbounded = { COFFER_OPERATIONS_PER_MINUTE: "1000000", COFFER_REQUESTS_PER_TEN_SECONDS: "1000000" };
    const system = await startSystem({ vars: unbounded });
    closing.unshift(() => system.close());
    const [authority, custodian] = await Promise.all([makeAuthority(), custodianOf(system, "bench")]);
    const identity = await authority.issue(custodian.dn);
    const names = { microservice: "CN=microservice", sidecar: "CN=sidecar" };
    const { port, close } = custodian.microservice();
    closing.unshift(close);
    const serve = async (place: { socket: string } | { port: number }) => {
      const own = await authority.issue(names.microservice);
      const peers = [custodian.dn, names.sidecar];
      const listening = await serveMicroservice({
        port,
        custodian: custodian.dn,
        place,
        identity: own,
        peers,
      });
      closing.unshift(() => listening.close());
      return listening.place;
    };
    const socket = join(dir, "microservice.sock");
    const places = { socket: await serve({ socket }), loopback: await serve({ port: 0 }) };
    const sidecar = await startSidecar({
      ...{ place: { port: 0 }, identity: await authority.issue(names.sidecar), custodians: [custodian.dn] },
      microservice: { socket, name: names.microservice },
      policy: '{"statements":[{"effect":"allow","principals":"*","actions":"*","resources":"*"}]}',
      audit: join(dir, "audit.jsonl"),
      pace: { perSecond: 100_000, atOnce: 100_000 },
    });
    closing.unshift(() => sidecar.close());
    const clients = Object.entries({ ...places, sidecar: sidecar.place }).map(([name, place]) => {
      const client = serviceClient(place, identity);
      closing.unshift(() => client.close());
      return [name, client] as const;
    });
    const key = await newKeyAt(custodian, clients[0]![1], "AES-256-GCM-HKDF-SHA512-COMMIT-KEY");
    const bytes = crypto.getRandomValues(new Uint8Array(BYTES));
    const asked = { key, context: contextOf(custodian), data: encodeBase64url(bytes) };
    const plain = await crypto.subtle.generateKey({ name: "AES-GCM", length: 256 }, false, ["encrypt"]);
    const versus = "webcrypto";
    const iv = bytes.subarray(0, 12);
    const works: Work[] = [
      work(versus, null, () => crypto.subtle.encrypt({ name: "AES-GCM", iv }, plain, bytes)),
      work("dependency", versus, () => port.operate("encrypt", asked)),
      ...clients.map(([name, client]) =>
        work(name, versus, () => callService(client, "encrypt", { body: asked })),
      ),
      ...(await caasWorks(system, custodian.client, asked)),
    ];
    progress("starting Chromium");
    const page = await openPage(system, BYTES);
    closing.unshift(() => page.close());
    const inPage = (name: string, against: string | null, way: Exclude<keyof InPage, "close">): Work => {
      return {
        name,
        versus: against,
        measured: (load, milliseconds) => page[way]({ load, milliseconds }),
      };
    };
    works.push(
      inPage("chromium-webcrypto", null, "webcrypto"),
      inPage("vault", "caas+20ms", "vault"),
      inPage("service-worker", "vault", "serviceWorker"),
    );
    for (const load of LOADS) await compare(report, works, load);
  } finally {
    for (const close of closing) await Promise.allSettled([(async () => close())()]);
  }
}

/** The same operation at the CaaS, which the officer has allowed for the tenant. */
async function caasWorks(system: System, client: EdgeClient, body: object): Promise<Work[]> {
  await sayOperations(system, true);
  const caas = caasHost(client);
  const encrypt = async () => {
    const { status } = await caas.send("POST", operations.encrypt.path, { body });
    if (status !== 200) throw new Error(`the CaaS answered ${status}`);
  };
  return NETWORKS.map((milliseconds) =>
    work(milliseconds === 0 ? "caas" : `caas+${milliseconds}ms`, "dependency", async () => {
      if (milliseconds > 0) await setTimeout(milliseconds);
      await encrypt();
    }),
  );
}

async function compare(report: Report, works: readonly Work[], load: number): Promise<void> {
  const measured = new Map<string, Figures>();
  for (const { name, versus, measured: measuring } of works) {
    progress(`${name}, ${load} under way`);
    await measuring(load, WARM_UP_MS);
    const figures = await measuring(load, MEASURED_MS);
    for (const figure of ["p50", "p99", "rate"] as const) {
      const value = figures[figure];
      const idOf = (of: string) => `${of}/encrypt/1KiB/${load}/${figure}`;
      const unit = figure === "rate" ? "operations/s" : "ms";
      const other = versus === null ? undefined : measured.get(versus)?.[figure];
      const compared =
        versus === null || other === undefined
          ? { versus: null, ratio: null }
          : { versus: idOf(versus), ratio: value / other };
      report({ id: idOf(name), value, unit, ...compared });
    }
    measured.set(name, figures);
  }
}
