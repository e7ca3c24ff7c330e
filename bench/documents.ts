import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { fileStream } from "#cli/file-stream.ts";
import {
  type Chromium,
  openChromium,
  type PageSession,
  watchMemory,
  writeRandomFile,
} from "#test/documents/index.ts";
import { listen } from "#test/support/ports.ts";
import { discard, memoryTurn, pattern, sealed, type Times, timed } from "./documents/measure.ts";
import { median, progress, type Report } from "./row.ts";

/** MiB of the file; what is done from memory has the first alone. */
const SIZES = [256, 2048];
/** Each thing is measured so often, in turns with what it is compared with; the median counts. */
const TURNS = 5;
/** Until the browser has let go what the last pipeline used. Milliseconds. */
const REST_MS = 3000;

/**
 * Sealing and opening of documents, each pipeline beside its own limit, in the same turn: memory to memory beside AES-256-GCM by WebCrypto
 * alone, a File to a consumer that discards beside reading it, a File to a disk or a server beside writing it as it is. A ratio is
 * the pipeline's speed by that of its limit. The memory is that of all processes of the browser, above what they have at rest.
 *
 * COFFER_BENCH_MIB: sizes, comma-separated. COFFER_BENCH_TURNS: how many.
 */
export async function run(report: Report): Promise<void> {
  const sizes = process.env.COFFER_BENCH_MIB?.split(",").map(Number) ?? SIZES;
  const turns = Number(process.env.COFFER_BENCH_TURNS ?? TURNS);
  const folder = mkdtempSync(join(tmpdir(), "coffer-bench-"));
  try {
    progress(`${availableParallelism()} processors, ${sizes.join(" and ")} MiB, ${turns} turns`);
    for (const [index, mib] of sizes.entries()) {
      const bench = new Bench(report, mib, turns);
      const path = join(folder, "file.bin");
      await writeRandomFile(path, mib * 2 ** 20);
      await inNode(bench, path, index === 0);
      await inChromium(bench, path, index === 0);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What a pipeline is compared with, by the name that its turn gives the limit's time. */
const LIMITS = { seal: ["webcrypto/encrypt", "read", "plain"], open: ["webcrypto/decrypt", "read"] } as const;

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
      const limit =
        what in LIMITS ? LIMITS[what as keyof typeof LIMITS].find((one) => of(one).length > 0) : undefined;
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
      this.#report({ id: `${id(what)}/spread`, value: 100 * spread, unit: "%", versus: null, ratio: null });
    }
  }

  memory(name: string, above: number): void {
    this.#report({
      id: `${name}/memory/${this.mib}MiB`,
      value: above,
      unit: "MiB",
      versus: null,
      ratio: null,
    });
  }

  #rate(ms: number): number {
    return this.mib / (ms / 1000);
  }
}

async function inNode(bench: Bench, path: string, fromMemory: boolean): Promise<void> {
  if (fromMemory) {
    const bytes = pattern(bench.mib * 2 ** 20);
    await bench.pipeline("node/memory", () => memoryTurn(bytes));
  }
  await bench.pipeline("node/file", async () => ({
    seal: (await timed(() => discard(sealed(fileStream(path))))).ms,
    read: (await timed(() => discard(fileStream(path)))).ms,
  }));
}

async function inChromium(bench: Bench, path: string, fromMemory: boolean): Promise<void> {
  const site = await serve();
  const chromium = await openChromium();
  try {
    const page = await chromium.attach();
    await page.evaluate(`location.href = ${JSON.stringify(site.url)}`);
    await until(page, "'measure' in globalThis");
    const measure = (expression: string) => () => page.evaluate<Times>(`measure.${expression}`);
    if (fromMemory) await bench.pipeline("chromium/memory", measure(`memory(${bench.mib * 2 ** 20})`));
    await page.choose("input", [path]);
    await bench.pipeline("chromium/file", measure("file()"));
    await bench.pipeline("chromium/port", measure("port()"));
    await bench.pipeline("chromium/port-from-ciphertext", measure("portOpen()"));
    await bench.pipeline("chromium/opfs", measure("opfs()"));
    await bench.pipeline("chromium/server", measure("server()"));
    for (const name of ["port", "server"]) {
      const rest = await atRest(chromium);
      const watched = watchMemory({ browser: chromium.pid });
      await measure(`${name}()`)();
      bench.memory(`chromium/${name}`, (await watched.stop()).browser.ownPeak - rest);
    }
    page.detach();
  } finally {
    await chromium.close();
    site.close();
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

/** The benchmark page on the loopback, which is a secure context, and what throws away what is sent to it. */
async function serve(): Promise<{ url: string; close(): void }> {
  const { outputFiles } = await build({
    entryPoints: ["page", "worker"].map((name) =>
      fileURLToPath(new URL(`./documents/${name}.ts`, import.meta.url)),
    ),
    bundle: true,
    write: false,
    outdir: "/",
    format: "esm",
    target: "es2024",
  });
  const files = new Map(outputFiles.map(({ path, contents }) => [path, contents]));
  const server = createServer((request, response) => {
    if (request.url === "/discard") {
      request.resume().on("end", () => response.end());
      return;
    }
    const script = files.get(request.url ?? "");
    response.setHeader("content-type", script ? "text/javascript" : "text/html");
    response.end(
      script ?? '<!doctype html><input type="file"><script type="module" src="/page.js"></script>',
    );
  });
  const port = await listen(server);
  return { url: `http://127.0.0.1:${port}/`, close: () => server.close() };
}
