import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { fileStream } from "#cli/file-stream.ts";
import { openChromium, type PageSession, writeRandomFile } from "#test/documents/index.ts";
import { listen } from "#test/support/ports.ts";
import { discard, memoryTurn, pattern, sealed, type Times, timed } from "./documents/measure.ts";
import { median, progress, type Report } from "./row.ts";

const MIB = 256;
const SIZE = MIB << 20;
/** Each thing is measured so often, in turns with what it is compared with; the median counts. */
const TURNS = 3;

/**
 * Sealing and opening of 256 MiB: memory to memory, File to discard, and over a message port as an app sees it; beside
 * AES-256-GCM by WebCrypto alone on as many bytes, in the same thread, in the same turn.
 */
export async function run(report: Report): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "coffer-bench-"));
  try {
    const path = join(folder, "file.bin");
    await writeRandomFile(path, SIZE);
    progress(`${availableParallelism()} processors, ${MIB} MiB, ${TURNS} turns`);
    await inNode(report, path);
    await inChromium(report, path);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function inNode(report: Report, path: string): Promise<void> {
  const bytes = pattern(SIZE);
  const memory = await turns("node/memory", () => memoryTurn(bytes));
  tell(report, "node/memory", memory, memory);
  const file = await turns("node/file", async () => ({
    seal: (await timed(() => discard(sealed(fileStream(path))))).ms,
  }));
  tell(report, "node/file", file, memory);
}

async function inChromium(report: Report, path: string): Promise<void> {
  const site = await serve();
  const chromium = await openChromium();
  try {
    const page = await chromium.attach();
    await page.evaluate(`location.href = ${JSON.stringify(site.url)}`);
    await until(page, "'measure' in globalThis");
    const measure = (expression: string) => () => page.evaluate<Times>(`measure.${expression}`);
    const memory = await turns("chromium/memory", measure(`memory(${SIZE})`));
    tell(report, "chromium/memory", memory, memory);
    await page.choose("input", [path]);
    const file = await turns("chromium/file", measure("file()"));
    tell(report, "chromium/file", file, file);
    const port = await turns("chromium/port", measure("port()"));
    tell(report, "chromium/port", port, memory);
    page.detach();
  } finally {
    await chromium.close();
    site.close();
  }
}

async function turns(what: string, turn: () => Promise<Times>): Promise<Times> {
  const all: Times[] = [];
  for (let i = 1; i <= TURNS; i++) {
    all.push(await turn());
    const times = Object.entries(all.at(-1)!).map(([name, ms]) => `${name} ${Math.round(rate(ms))}`);
    progress(`${what}, turn ${i}: ${times.join(", ")} MiB/s`);
  }
  return Object.fromEntries(
    Object.keys(all[0]!).map((name) => [name, median(all.map((times) => times[name]!))]),
  );
}

function tell(report: Report, prefix: string, times: Times, alone: Times): void {
  for (const [operation, other] of [
    ["seal", "webcrypto/encrypt"],
    ["open", "webcrypto/decrypt"],
  ] as const) {
    const [ms, compared] = [times[operation], alone[other]];
    if (ms === undefined || compared === undefined) continue;
    const id = `${prefix}/${operation}/${MIB}MiB`;
    report({ id, value: rate(ms), unit: "MiB/s", versus: "webcrypto", ratio: compared / ms });
  }
  for (const name of ["webcrypto/encrypt", "webcrypto/decrypt"]) {
    const ms = times[name];
    if (ms === undefined) continue;
    report({ id: `${prefix}/${name}/${MIB}MiB`, value: rate(ms), unit: "MiB/s", versus: null, ratio: null });
  }
}

const rate = (ms: number) => MIB / (ms / 1000);

async function until(page: PageSession, condition: string): Promise<void> {
  while (!(await page.evaluate<boolean>(condition).catch(() => false)))
    await new Promise((resolve) => setTimeout(resolve, 50));
}

/** The benchmark page on the loopback, which is a secure context. */
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
    const script = files.get(request.url ?? "");
    response.setHeader("content-type", script ? "text/javascript" : "text/html");
    response.end(
      script ?? '<!doctype html><input type="file"><script type="module" src="/page.js"></script>',
    );
  });
  const port = await listen(server);
  return { url: `http://127.0.0.1:${port}/`, close: () => server.close() };
}
