import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encodeBase64url } from "#protocol/base64url.ts";
import {
  callService,
  contextOf,
  custodianOf,
  makeAuthority,
  newKeyAt,
  serviceClient,
} from "#test/hosts/index.ts";
import { startSystem } from "#test/support/start.ts";
import { serveMicroservice } from "#web/hosts/node/index.ts";
import { startSidecar } from "#web/hosts/sidecar/index.ts";
import { progress, type Report } from "./row.ts";

/** Requests under way at a time. */
const LOADS = [1, 8];
const MEASURED_MS = 1500;
const WARM_UP_MS = 300;

type Once = () => Promise<unknown>;

/**
 * An encryption of 1 KiB in a Node process's microservice: called over its port, over REST on a Unix socket and on loopback, and
 * through a sidecar that syncs an audit line for each; beside WebCrypto's own AES-GCM of as many bytes in the same run. There is
 * no CaaS to compare with.
 */
export async function run(report: Report): Promise<void> {
  const closing: (() => unknown)[] = [];
  const dir = mkdtempSync(join(tmpdir(), "coffer-bench-"));
  closing.unshift(() => rmSync(dir, { recursive: true, force: true }));
  try {
    progress("starting a deployment");
    const system = await startSystem();
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
    const bytes = crypto.getRandomValues(new Uint8Array(1024));
    const asked = { key, context: contextOf(custodian), data: encodeBase64url(bytes) };
    const plain = await crypto.subtle.generateKey({ name: "AES-GCM", length: 256 }, false, ["encrypt"]);
    const works: [string, Once][] = [
      [
        "webcrypto",
        () => crypto.subtle.encrypt({ name: "AES-GCM", iv: bytes.subarray(0, 12) }, plain, bytes),
      ],
      ["dependency", () => port.operate("encrypt", asked)],
      ...clients.map(([name, client]): [string, Once] => [
        name,
        () => callService(client, "encrypt", { body: asked }),
      ]),
    ];
    for (const load of LOADS) await compare(report, works, load);
  } finally {
    for (const close of closing) await Promise.allSettled([(async () => close())()]);
  }
}

async function compare(report: Report, works: [string, Once][], load: number): Promise<void> {
  let first: Record<string, number> | undefined;
  for (const [name, once] of works) {
    progress(`${name}, ${load} under way`);
    await measure(once, load, WARM_UP_MS);
    const figures = await measure(once, load, MEASURED_MS);
    for (const [figure, value] of Object.entries(figures)) {
      const versus = first && `webcrypto/encrypt/1KiB/${load}/${figure}`;
      const unit = figure === "rate" ? "operations/s" : "ms";
      const ratio = first ? value / first[figure]! : null;
      report({ id: `${name}/encrypt/1KiB/${load}/${figure}`, value, unit, versus: versus ?? null, ratio });
    }
    first ??= figures;
  }
}

async function measure(once: Once, load: number, milliseconds: number): Promise<Record<string, number>> {
  const times: number[] = [];
  const start = performance.now();
  await Promise.all(
    Array.from({ length: load }, async () => {
      while (performance.now() - start < milliseconds) {
        const before = performance.now();
        await once();
        times.push(performance.now() - before);
      }
    }),
  );
  const took = performance.now() - start;
  const sorted = times.sort((a, b) => a - b);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!;
  return { p50: at(0.5), p99: at(0.99), rate: (times.length / took) * 1000 };
}
