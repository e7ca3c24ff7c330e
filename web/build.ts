/**
 * Compiles what browsers get: the page (`app/`) and the vault with its measured microservice (`vault/`). The same input
 * gives the same bytes. Node only; used by cli, tests and deployment.
 */
import { readdir, readFile } from "node:fs/promises";
import { dirname, extname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { type BuildOptions, type BuildResult, build } from "esbuild";
import { type BuiltWeb, hashed, MARK, pinWeb, type WebOptions, type WebParts } from "./pin.ts";

const WEB = dirname(fileURLToPath(import.meta.url));

/** Builds both sites for one deployment. Throws what esbuild throws. */
export async function buildWeb(options: WebOptions): Promise<BuiltWeb> {
  return pinWeb(await compileWeb(), options);
}

/** Both sites but for what is pinned, which is one deployment's. Throws what esbuild throws. */
export async function compileWeb(): Promise<WebParts> {
  const [page, vault] = await Promise.all([buildPage(), buildVault()]);
  const icon = await readFile(join(WEB, "page/icon.svg"));
  // What browsers ask for by themselves, without its hash.
  return new Map([...page, ...vault, ["app/favicon.svg", icon], ["vault/favicon.svg", icon]]);
}

type Files = Map<string, Uint8Array>;

const COMMON: BuildOptions = {
  absWorkingDir: WEB,
  bundle: true,
  minify: true,
  write: false,
  target: "es2023",
  charset: "utf8",
  legalComments: "none",
  logLevel: "silent",
};

async function buildVault(): Promise<Files> {
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

/** One classic, self-contained script. */
async function script(entry: string, define: Record<string, string>): Promise<Uint8Array> {
  return onlyFile(await build({ ...COMMON, entryPoints: [entry], format: "iife", define }));
}

function onlyFile({ outputFiles }: BuildResult): Uint8Array {
  const [file] = outputFiles ?? [];
  if (!file) throw new Error("esbuild wrote no file");
  return file.contents;
}

/** The page: scripts and styles that its index.html names, bundled; the rest of what it names, copied; all under hashed names. */
async function buildPage(): Promise<Files> {
  const folder = join(WEB, "page");
  let html = await readFile(join(folder, "index.html"), "utf8");
  const files: Files = new Map();
  const named = [...html.matchAll(/(?:src|href)="([\w./-]+\.(?:ts|css|svg|png|webmanifest))"/g)].map(
    ([, name = ""]) => name,
  );
  for (const name of new Set(named)) {
    const built = await pageFile(folder, name);
    const target = hashed(name.replace(/\.ts$/, ".js"), built);
    files.set(`app/${target}`, built);
    html = html.replaceAll(`"${name}"`, `"/${target}"`);
  }
  files.set("app/index.html", new TextEncoder().encode(html));
  for (const name of await readdir(join(folder, "public")).catch(() => [])) {
    files.set(`app/${name}`, await readFile(join(folder, "public", name)));
  }
  return files;
}

async function pageFile(folder: string, name: string): Promise<Uint8Array> {
  const path = join(folder, name);
  if (![".ts", ".css"].includes(extname(name))) return readFile(path);
  const result = await build({
    ...COMMON,
    entryPoints: [relative(WEB, path)],
    format: "esm",
    loader: { ".svg": "dataurl", ".woff2": "dataurl" },
  });
  return onlyFile(result);
}
