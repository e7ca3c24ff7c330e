/**
 * Gives what `web/build.ts` compiled to one deployment: pins its root key in the microservice, the microservice's hash in the
 * loader and the loader's hash in the vault's document, and writes both sites. The same input gives the same bytes. Node
 * only; needs no bundler, so that the package can carry what was compiled.
 */
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, extname, join, sep } from "node:path";
import { gzipSync } from "node:zlib";
import { encodeBase64url } from "#protocol/base64url.ts";

/** Files by path: `app/` as it is served, `vault/` and `node/` with these marks in the place of what is pinned. */
export type WebParts = ReadonlyMap<string, Uint8Array>;

export const MARK = {
  rootKey: "{{root.key}}",
  microservice: { url: "{{microservice.url}}", integrity: "{{microservice.integrity}}" },
  loader: { url: "{{loader.url}}", integrity: "{{loader.integrity}}" },
} as const;

export type BuiltFile = { path: string; bytes: number; gzip: number };
export type BuiltWeb = {
  files: BuiltFile[];
  /** Integrity of the microservice's bundle, `sha384-<base64>`: its measurement. */
  measurement: string;
  manifest: ManifestFile[];
};

/** What of a build is trusted, for a release to name (M21): each file by its path, with its length and SHA-384 in hexadecimal. */
export type ManifestFile = { path: string; bytes: number; sha384: string };

/** Where it is written, beside the sites. */
export const MANIFEST = "manifest.json";

export type WebOptions = {
  /** SubjectPublicKeyInfo of the root CA (P-256, DER): pinned in the microservice. Empty: the vault serves nobody. */
  rootKey: Uint8Array;
  /** Folder to write; what was in its `app`, `vault` and `node` is replaced. */
  outDir: string;
};

export async function pinWeb(parts: WebParts, { rootKey, outDir }: WebOptions): Promise<BuiltWeb> {
  const { files, measurement } = pinVault(parts, rootKey);
  for (const site of ["app", "vault", "node"]) await rm(join(outDir, site), { recursive: true, force: true });
  for (const [path, bytes] of files) {
    await mkdir(dirname(join(outDir, path)), { recursive: true });
    await writeFile(join(outDir, path), bytes);
  }
  const manifest = manifestOf(files);
  await writeFile(join(outDir, MANIFEST), `${JSON.stringify(manifest)}\n`);
  return {
    manifest,
    files: [...files].map(([path, bytes]) => ({ path, bytes: bytes.length, gzip: gzipSync(bytes).length })),
    measurement,
  };
}

/** Reads what was compiled and written to a folder. */
export async function readWebParts(folder: string): Promise<WebParts> {
  const names = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = names.filter((name) => name.isFile()).map(({ parentPath, name }) => join(parentPath, name));
  const read = async (path: string) =>
    [path.slice(folder.length + 1).replaceAll(sep, "/"), await readFile(path)] as const;
  return new Map(await Promise.all(paths.toSorted().map(read)));
}

function pinVault(parts: WebParts, rootKey: Uint8Array) {
  const {
    "vault/microservice.js": unpinned,
    "vault/loader.js": unpinnedLoader,
    "vault/index.html": page,
    "node/microservice.js": unpinnedNode,
    ...rest
  } = Object.fromEntries(parts);
  const microservice = pinned(unpinned, { [MARK.rootKey]: encodeBase64url(rootKey) });
  const microserviceName = hashed("microservice.js", microservice);
  const measurement = integrity(microservice);
  const loader = pinned(unpinnedLoader, {
    [MARK.microservice.url]: `/${microserviceName}`,
    [MARK.microservice.integrity]: measurement,
  });
  const loaderName = hashed("loader.js", loader);
  const html = pinned(page, {
    [MARK.loader.url]: `/${loaderName}`,
    [MARK.loader.integrity]: integrity(loader),
  });
  const node = pinned(unpinnedNode, { [MARK.rootKey]: encodeBase64url(rootKey) });
  const files = new Map([
    ...Object.entries(rest),
    ["node/microservice.js", node],
    ["vault/index.html", html],
    [`vault/${loaderName}`, loader],
    [`vault/${microserviceName}`, microservice],
  ]);
  return { files, measurement };
}

/** Vault and microservice, in the order of their paths: the same build gives the same text. */
function manifestOf(files: ReadonlyMap<string, Uint8Array>): ManifestFile[] {
  return [...files]
    .filter(([path]) => !path.startsWith("app/"))
    .map(([path, bytes]) => ({
      path,
      bytes: bytes.length,
      sha384: createHash("sha384").update(bytes).digest("hex"),
    }))
    .toSorted((a, b) => (a.path < b.path ? -1 : 1));
}

/** Each mark must be there, once: a vault that pins nothing must not be made. */
function pinned(file: Uint8Array | undefined, values: Record<string, string>): Uint8Array {
  let text = new TextDecoder().decode(file);
  for (const [mark, value] of Object.entries(values)) {
    const [before, after, ...more] = text.split(mark);
    if (after === undefined || more.length > 0) throw new Error(`${mark} is to be there once`);
    text = before + value + after;
  }
  return new TextEncoder().encode(text);
}

/** `name.HASH.ext`, HASH being 16 hexadecimal characters of SHA-256. */
export function hashed(name: string, bytes: Uint8Array): string {
  const hash = createHash("sha256").update(bytes).digest("hex").slice(0, 16);
  const extension = extname(name);
  return `${name.slice(0, -extension.length)}.${hash}${extension}`;
}

export function integrity(bytes: Uint8Array): string {
  return `sha384-${createHash("sha384").update(bytes).digest("base64")}`;
}
