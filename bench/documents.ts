import { createWriteStream, mkdtempSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { fileStream } from "#cli/file-stream.ts";
import {
  type Chromium,
  openChromium,
  type PageSession,
  watchMemory,
  writeRandomFile,
} from "#test/documents/index.ts";
import { discard, memoryTurn, OPENING, pattern, sealed, type Times, timed } from "./documents/measure.ts";
import { peersInstalled } from "./documents/peers.ts";
import { type RangeTimes, readParts } from "./documents/range.ts";
import { type Site, serve } from "./documents/site.ts";
import { median, progress, type Report } from "./row.ts";

const MIB = 2 ** 20;
/** MiB of the file; what is done from memory has the first alone. */
const SIZES = [256, 2048];
/** Each thing is measured so often, in turns with what it is compared with; the median counts. */
const TURNS = 5;
/** Until the browser has let go what the last pipeline used. Milliseconds. */
const REST_MS = 3000;

/**
 * Sealing and opening of documents, each pipeline beside its own limit, in the same turn: memory to memory beside AES-256-GCM by WebCrypto
 * alone and beside what other libraries do with the same bytes, a File to a consumer that discards beside reading it, a File to a disk or a server beside writing it as it is. A ratio is
 * the pipeline's speed by that of its limit; of a part of a document over HTTP, beside a plain range, the time's. The memory is that of all processes of the browser, above what they have at rest.
 *
 * COFFER_BENCH_MIB: sizes, comma-separated. COFFER_BENCH_TURNS: how many.
 */
export async function run(report: Report): Promise<void> {
  const sizes = process.env.COFFER_BENCH_MIB?.split(",").map(Number) ?? SIZES;
  const turns = Number(process.env.COFFER_BENCH_TURNS ?? TURNS);
  const folder = mkdtempSync(join(tmpdir(), "coffer-bench-"));
  setFlagsFromString("--expose-gc");
  Object.assign(globalThis, { gc: runInNewContext("gc") });
  try {
    const peers = peersInstalled();
    progress(`${availableParallelism()} processors, ${sizes.join(" and ")} MiB, ${turns} turns`);
    for (const [index, mib] of sizes.entries()) {
      const bench = new Bench(report, mib, turns);
      const path = join(folder, "file.bin");
      await writeRandomFile(path, mib * MIB);
      const message = join(folder, "file.sealed");
      await pipeline(sealed(fileStream(path)), createWriteStream(message));
      const site = await serve(message, peers);
      const parts = { fromMemory: index === 0, peers: peers && index === 0 };
      try {
        await inNode(bench, path, site, parts);
        await inChromium(bench, path, site, parts);
      } finally {
        site.close();
      }
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What a pipeline is compared with, by the name that its turn gives the limit's time. */
const LIMITS: Record<string, string[]> = {
  seal: ["webcrypto/encrypt", "read", "plain"],
  open: ["webcrypto/decrypt", "read"],
};

const OURS = "coffer";

/** A peer is compared with ours, which is no limit of it. */
function limitsOf(what: string): string[] {
  const [, peer, way] = /^(.+)\/(seal|open)$/.exec(what) ?? [];
  return way && peer !== OURS ? [`${OURS}/${way}`] : (LIMITS[what] ?? []);
}

class Bench {
  readonly #report: Report;
  readonly mib: number;
  readonly #turns: number;

  constructor(report: Report, mib: number, turns: number) {
    this.#report = report;
    this.mib = mib;
    this.#turns = turns;
  }

  /** Measures, and tells the median speed of each thing, its spread, and its ratio to its limit. */
  async pipeline(name: string, turn: () => Promise<Times>): Promise<void> {
    const all: Times[] = [];
    for (let i = 1; i <= this.#turns; i++) {
      all.push(await turn());
      const times = Object.entries(all.at(-1)!).map(([what, ms]) => `${what} ${Math.round(this.#rate(ms))}`);
      progress(`${name}, ${this.mib} MiB, turn ${i}: ${times.join(", ")} MiB/s`);
    }
    const of = (what: string) => all.map((times) => times[what]).filter((ms) => ms !== undefined);
    const id = (what: string) => `${name}/${what}/${this.mib}MiB`;
    for (const what of Object.keys(all[0]!)) {
      const times = of(what);
      const limit = limitsOf(what).find((one) => of(one).length > 0);
      const ms = median(times);
      this.#report({
        id: id(what),
        value: this.#rate(ms),
        unit: "MiB/s",
        // By the name that others compare by.
        versus: limit === undefined ? null : limit.startsWith("webcrypto/") ? "webcrypto" : id(limit),
        ratio: limit === undefined ? null : median(of(limit)) / ms,
      });
      const spread = (Math.max(...times) - Math.min(...times)) / ms;
      this.#figure(`${id(what)}/spread`, 100 * spread, "%");
    }
  }

  memory(name: string, above: number): void {
    this.#figure(`${name}/memory/${this.mib}MiB`, above, "MiB");
  }

  range(name: string, { sealed, plain, fetched }: RangeTimes): void {
    const beside = `${name}/range/plain/${this.mib}MiB`;
    const ms = median(sealed);
    const id = `${name}/range/100kB/${this.mib}MiB`;
    this.#report({ id, value: ms, unit: "ms", versus: beside, ratio: ms / median(plain) });
    this.#figure(beside, median(plain), "ms");
    this.#figure(`${name}/range/fetched/${this.mib}MiB`, fetched / MIB, "MiB");
  }

  #figure(id: string, value: number, unit: string): void {
    this.#report({ id, value, unit, versus: null, ratio: null });
  }

  #rate(ms: number): number {
    return this.mib / (ms / 1000);
  }
}

/** What is measured beside files: memory to memory, and the peers, which get their bytes from there. */
type Parts = { fromMemory: boolean; peers: boolean };

async function inNode(bench: Bench, path: string, site: Site, parts: Parts): Promise<void> {
  const bytes = pattern(parts.fromMemory ? bench.mib * MIB : 0);
  if (parts.fromMemory) await bench.pipeline("node/memory", () => memoryTurn(bytes));
  if (parts.peers) {
    const [{ peersOfNode }, { turn }] = await Promise.all([
      import("./peers/node.ts"),
      import("./peers/peer.ts"),
    ]);
    const peers = await peersOfNode();
    await bench.pipeline("node/peers", () => turn(bytes, peers));
  }
  await bench.pipeline("node/file", async () => ({
    seal: (await timed(() => discard(sealed(fileStream(path))))).ms,
    read: (await timed(() => discard(fileStream(path)))).ms,
  }));
  bench.range("node", await readParts(`${site.url}sealed`, bench.mib * MIB, OPENING));
}

async function inChromium(bench: Bench, path: string, site: Site, parts: Parts): Promise<void> {
  await inBrowser(site, path, async ({ page }) => {
    const measure = (expression: string) => () => page.evaluate<Times>(`measure.${expression}`);
    const size = bench.mib * MIB;
    if (parts.fromMemory) await bench.pipeline("chromium/memory", measure(`memory(${size})`));
    if (parts.peers) await bench.pipeline("chromium/peers", measure(`peers(${size})`));
    await bench.pipeline("chromium/file", measure("file()"));
    await bench.pipeline("chromium/port", measure("port()"));
    await bench.pipeline("chromium/port-from-ciphertext", measure("portOpen()"));
    await bench.pipeline("chromium/opfs", measure("opfs()"));
    await bench.pipeline("chromium/server", measure("server()"));
    bench.range("chromium", await page.evaluate<RangeTimes>(`measure.range(${size})`));
  });
  // Each in a browser of its own: one that has worked gives memory back long after.
  for (const name of ["port", "opfs", "server"])
    await inBrowser(site, path, async ({ page, chromium }) => {
      const rest = await atRest(chromium);
      const watched = watchMemory({ browser: chromium.pid });
      await page.evaluate(`measure.sealed.${name}()`);
      bench.memory(`chromium/${name}`, (await watched.stop()).browser.ownPeak - rest);
    });
}

/** Works in a new browser that has the page, and the file chosen there. */
async function inBrowser(
  site: Site,
  path: string,
  work: (of: { page: PageSession; chromium: Chromium }) => Promise<void>,
): Promise<void> {
  const chromium = await openChromium(["--js-flags=--expose-gc"]);
  try {
    const page = await chromium.attach();
    await page.evaluate(`location.href = ${JSON.stringify(site.url)}`);
    await until(page, "'measure' in globalThis");
    await page.choose("input", [path]);
    await work({ page, chromium });
    page.detach();
  } finally {
    await chromium.close();
  }
}

/** MiB of all processes of the browser when nothing goes on. */
async function atRest(chromium: Chromium): Promise<number> {
  await new Promise((resolve) => setTimeout(resolve, REST_MS));
  const watched = watchMemory({ browser: chromium.pid });
  await new Promise((resolve) => setTimeout(resolve, REST_MS));
  return (await watched.stop()).browser.ownMedian;
}

async function until(page: PageSession, condition: string): Promise<void> {
  while (!(await page.evaluate<boolean>(condition).catch(() => false)))
    await new Promise((resolve) => setTimeout(resolve, 50));
}
