/**
 * Builds what browsers get: the page (`app/`) and the vault with its measured microservice (`vault/`). The same input
 * gives the same bytes. Node only; used by cli, tests and deployment.
 */
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, extname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { type BuildOptions, type BuildResult, build } from "esbuild";
import { encodeBase64url } from "#protocol/base64url.ts";

const WEB = dirname(fileURLToPath(import.meta.url));

export type BuiltFile = { path: string; bytes: number; gzip: number };
export type BuiltWeb = {
  files: BuiltFile[];
  /** Integrity of the microservice's bundle, `sha384-<base64>`: its measurement. */
  measurement: string;
};

export type BuildWebOptions = {
  /** SubjectPublicKeyInfo of the root CA (P-256, DER): pinned in the microservice. Empty: the vault serves nobody. */
  rootKey: Uint8Array;
  /** Folder to write; what was in its `app` and `vault` is replaced. */
  outDir: string;
};

/** Builds both sites. Throws what esbuild throws. */
export async function buildWeb({ rootKey, outDir }: BuildWebOptions): Promise<BuiltWeb> {
  const [page, measurement] = await Promise.all([buildPage(), buildVault(rootKey)]);
  const files = new Map([...page, ...measurement.files]);
  const icon = await readFile(join(WEB, "page/icon.svg"));
  // What browsers ask for by themselves, without its hash.
  for (const site of ["app", "vault"]) files.set(`${site}/favicon.svg`, icon);
  for (const site of ["app", "vault"]) await rm(join(outDir, site), { recursive: true, force: true });
  for (const [path, bytes] of files) {
    await mkdir(dirname(join(outDir, path)), { recursive: true });
    await writeFile(join(outDir, path), bytes);
  }
  return {
    files: [...files].map(([path, bytes]) => ({ path, bytes: bytes.length, gzip: gzipSync(bytes).length })),
    measurement: measurement.measurement,
  };
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

async function buildVault(rootKey: Uint8Array): Promise<{ files: Files; measurement: string }> {
  const microservice = await script("hosts/worker/main.ts", {
    __COFFER_ROOT_KEY__: JSON.stringify(encodeBase64url(rootKey)),
  });
  const measurement = integrity(microservice);
  const microserviceName = hashed("microservice.js", microservice);
  const loader = await script("hosts/vault/main.ts", {
    __COFFER_MICROSERVICE__: JSON.stringify({ url: `/${microserviceName}`, integrity: measurement }),
  });
  const loaderName = hashed("loader.js", loader);
  const pages = await script("hosts/pages/main.ts", {});
  const html = (await readFile(join(WEB, "hosts/vault/index.html"), "utf8"))
    .replace("{{loader.url}}", `/${loaderName}`)
    .replace("{{loader.integrity}}", integrity(loader));
  const files = new Map([
    ["vault/index.html", new TextEncoder().encode(html)],
    [`vault/${loaderName}`, loader],
    [`vault/${microserviceName}`, microservice],
    // Named by the gateway, which writes those pages and does not know this build.
    ["vault/page.js", pages],
  ]);
  return { files, measurement };
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

/** `name.HASH.ext`, HASH being 16 hexadecimal characters of SHA-256. */
function hashed(name: string, bytes: Uint8Array): string {
  const hash = createHash("sha256").update(bytes).digest("hex").slice(0, 16);
  const extension = extname(name);
  return `${name.slice(0, -extension.length)}.${hash}${extension}`;
}

function integrity(bytes: Uint8Array): string {
  return `sha384-${createHash("sha384").update(bytes).digest("base64")}`;
}
