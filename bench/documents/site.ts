/** The benchmark page on the loopback, which is a secure context, and what it sends to and reads from. */

import { createReadStream, statSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { listen } from "#test/support/ports.ts";

export type Site = { url: string; close(): void };

const PAGE = '<!doctype html><body><input type="file"><script type="module" src="/page.js"></script>';
const VAULT = '<!doctype html><script type="module" src="/vault.js"></script>';

/** `/discard` throws away what is sent to it, `/sealed` gives ranges of the file at `sealed`, `/vault` is for the frame. With `peers` they have a Worker there too. */
export async function serve(sealed: string, peers: boolean): Promise<Site> {
  const sources = {
    page: "./page.ts",
    vault: "./vault.ts",
    worker: "./worker.ts",
    ...(peers && { peers: "../peers/worker.ts" }),
  };
  const { outputFiles } = await build({
    entryPoints: Object.entries(sources).map(([out, source]) => ({
      in: fileURLToPath(new URL(source, import.meta.url)),
      out,
    })),
    // Some of them look for Node's.
    define: { global: "globalThis" },
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
    if (request.url === "/sealed") return giveRange(sealed, request, response);
    const script = files.get(request.url ?? "");
    response.setHeader("content-type", script ? "text/javascript" : "text/html");
    response.end(script ?? (request.url === "/vault" ? VAULT : PAGE));
  });
  const port = await listen(server);
  return {
    url: `http://127.0.0.1:${port}/`,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

/** One range, as RFC 9110 §14.4 has it; nothing else is asked for here. */
function giveRange(path: string, request: IncomingMessage, response: ServerResponse): void {
  const { size } = statSync(path);
  const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "") ?? [];
  const start = Number(from);
  const end = Math.min(Number(to), size - 1);
  response.writeHead(206, {
    "content-range": `bytes ${start}-${end}/${size}`,
    "content-length": end - start + 1,
    "content-type": "application/octet-stream",
    "cache-control": "no-store",
    etag: '"1"',
  });
  createReadStream(path, { start, end }).pipe(response);
}
