/**
 * Compiles what browsers get: the page (`app/`) and the vault with its measured microservice (`vault/`). The same input
 * gives the same bytes. Node only; used by cli, tests and deployment.
 */
import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { dirname, extname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { type BuildOptions, build, type Metafile } from "esbuild";
import { type BuiltWeb, hashed, integrity, MARK, pinWeb, type WebOptions, type WebParts } from "./pin.ts";

const WEB = dirname(fileURLToPath(import.meta.url));

/** Builds both sites for one deployment. Throws what esbuild throws. */
export async function buildWeb(options: WebOptions): Promise<BuiltWeb> {
  return pinWeb(await compileWeb(), options);
}

/** Both sites but for what is pinned, which is one deployment's; `built` is told what they are made of. Throws what esbuild throws. */
export async function compileWeb(built: Built = () => {}): Promise<WebParts> {
  const [page, vault, node, pdf] = await Promise.all([
    buildPage(built),
    buildVault(built),
    buildNode(built),
    buildPdf(built),
  ]);
  const serviceWorker = await buildServiceWorker(new Map([...page, ["app/pdf.html", pdf]]), built);
  const icon = await readFile(join(WEB, "page/icon.svg"));
  // What browsers ask for by themselves, without its hash.
  return new Map([
    ...page,
    ...vault,
    // At one address over releases: a browser looks there whether it has changed.
    ["app/service-worker.js", serviceWorker],
    // A frame for PDFs, which is loaded when the first is opened.
    ["app/pdf.html", pdf],
    ["app/favicon.svg", icon],
    ["vault/favicon.svg", icon],
    ["node/microservice.js", node],
  ]);
}

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
};

type Files = Map<string, Uint8Array>;
type Built = (metafile: Metafile) => void;

const COMMON: BuildOptions = {
  absWorkingDir: WEB,
  bundle: true,
  minify: true,
  target: "es2023",
  charset: "utf8",
  legalComments: "none",
  logLevel: "silent",
};

async function buildVault(built: Built): Promise<Files> {
  // Classic, self-contained scripts.
  const script = (entry: string, define: Record<string, string>) =>
    bundle({ entryPoints: [entry], format: "iife", define }, built);
  const [microservice, loader, pages, html] = await Promise.all([
    script("hosts/worker/main.ts", { __COFFER_ROOT_KEY__: JSON.stringify(MARK.rootKey) }),
    script("hosts/vault/main.ts", { __COFFER_MICROSERVICE__: JSON.stringify(MARK.microservice) }),
    script("hosts/pages/main.ts", {}),
    readFile(join(WEB, "hosts/vault/index.html")),
  ]);
  return new Map([
    ["vault/index.html", html],
    ["vault/loader.js", loader],
    ["vault/microservice.js", microservice],
    // Named by the gateway, which writes those pages and does not know this build.
    ["vault/page.js", pages],
  ]);
}

/** The microservice of a Node process: one module, which is measured as it is. */
function buildNode(built: Built): Promise<Uint8Array> {
  const define = { __COFFER_ROOT_KEY__: JSON.stringify(MARK.rootKey) };
  const entryPoints = ["hosts/node/main.ts"];
  return bundle({ entryPoints, format: "esm", platform: "neutral", external: ["node:*"], define }, built);
}

/**
 * The frame in which PDFs are drawn: one document with all that runs in it, since from an opaque origin nothing else is its own. Its policy lets
 * run by their hashes what stands in it; the worker is a text in the script.
 */
async function buildPdf(built: Built): Promise<Uint8Array> {
  const folder = join(WEB, "page/pdf");
  const iife = { format: "iife", define: { "import.meta.url": '""' } } as const;
  const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  const worker = await bundle(
    { ...iife, entryPoints: ["pdfjs-dist/build/pdf.worker.mjs"], external: ["node:*"] },
    built,
  );
  const define = { ...iife.define, __COFFER_PDF_WORKER__: JSON.stringify(decode(worker)) };
  const [script, style, html] = await Promise.all([
    bundle({ ...iife, entryPoints: ["page/pdf/frame.ts"], define }, built).then(decode),
    bundle({ entryPoints: ["page/pdf/frame.css"] }, built).then(decode),
    readFile(join(folder, "index.html"), "utf8"),
  ]);
  // Within a script element these would begin or end something else; in the texts where they stand they mean the same.
  const inline = script.replaceAll(/<(?=!--|\/?script)/gi, "\\x3c");
  const policy = `script-src '${sha256(inline)}'; style-src '${sha256(style)}'; worker-src blob:`;
  const document = html
    .replace("{{policy}}", policy)
    .replace('<link rel="stylesheet" href="frame.css">', () => `<style>${style}</style>`)
    .replace('<script src="frame.ts"></script>', () => `<script>${inline}</script>`);
  return new TextEncoder().encode(document);
}

/** The app's Service Worker, which names each file of this page by its digest: it keeps these and no other. */
function buildServiceWorker(page: Files, built: Built): Promise<Uint8Array> {
  const kept = [...page].map(([path, bytes]) => ({
    path: path === "app/index.html" ? "/" : path.slice("app".length),
    digest: createHash("sha256").update(bytes).digest("base64url"),
    type: TYPES[extname(path)] ?? "application/octet-stream",
  }));
  // Its document first: by that it is known whether this page is served at all.
  kept.sort((a, b) => Number(b.path === "/") - Number(a.path === "/"));
  const define = { __COFFER_PAGE__: JSON.stringify(kept) };
  return bundle({ entryPoints: ["hosts/service-worker/main.ts"], format: "iife", define }, built);
}

/** As a content security policy names what stands in its document. */
function sha256(text: string): string {
  return `sha256-${createHash("sha256").update(text).digest("base64")}`;
}

/** One file. */
async function bundle(options: BuildOptions, built: Built): Promise<Uint8Array> {
  const { outputFiles, metafile } = await build({ ...COMMON, ...options, write: false, metafile: true });
  const [file] = outputFiles;
  if (!file) throw new Error("esbuild wrote no file");
  built(metafile);
  return file.contents;
}

/** The page: scripts and styles that its index.html names, bundled; the rest of what it names, copied; all under hashed names. */
async function buildPage(built: Built): Promise<Files> {
  const folder = join(WEB, "page");
  let html = await readFile(join(folder, "index.html"), "utf8");
  const files: Files = new Map();
  const named = [...html.matchAll(/(?:src|href)="([\w./-]+\.(?:ts|css|svg|png|webmanifest))"/g)].map(
    ([, name = ""]) => name,
  );
  for (const name of new Set(named)) {
    const content = await pageFile(folder, name, built);
    const target = hashed(name.replace(/\.ts$/, ".js"), content);
    files.set(`app/${target}`, content);
    // The integrity policy that the document is served with lets no script run without.
    const pinned = name.endsWith(".ts") ? ` integrity="${integrity(content)}"` : "";
    html = html.replaceAll(`"${name}"`, `"/${target}"${pinned}`);
  }
  files.set("app/index.html", new TextEncoder().encode(html));
  for (const name of await readdir(join(folder, "public")).catch(() => [])) {
    files.set(`app/${name}`, await readFile(join(folder, "public", name)));
  }
  return files;
}

async function pageFile(folder: string, name: string, built: Built): Promise<Uint8Array> {
  const path = join(folder, name);
  if (![".ts", ".css"].includes(extname(name))) return readFile(path);
  const loader = { ".svg": "dataurl", ".woff2": "dataurl" } as const;
  return bundle({ entryPoints: [relative(WEB, path)], format: "esm", loader }, built);
}
