/**
 * Builds what is published: JavaScript and types of the package's entries in `dist/package`, since Node takes no TypeScript
 * below node_modules. `npm pack` runs it (`prepack`), and `npm ci` once (`prepare.js`).
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const OUT = join(ROOT, "dist/package");

/** Entries by their name in `exports`: the sources they are built from. */
const ENTRIES = {
  kmip: "protocol/kmip/index.ts",
  "kmip-node": "kmip-node/index.ts",
  hsm: "emulator/hsm/node.ts",
  enclave: "emulator/enclave/index.ts",
};

/** The command, but for `start`, which builds the edge worker and the page from their sources. */
const COMMAND = { cli: "cli/main.ts" };
const ONLY_IN_A_CLONE = "./cli/start.ts";

/** The entry that runs everywhere, and so depends on nothing. */
const PURE = "kmip";

rmSync(OUT, { recursive: true, force: true });
await buildScripts();
buildTypes();

/** One build for all entries, so that they share their classes: an error of one is an instance of the other's. */
async function buildScripts(): Promise<void> {
  const { build } = await import("esbuild");
  const { metafile } = await build({
    absWorkingDir: ROOT,
    entryPoints: { ...ENTRIES, ...COMMAND },
    outdir: OUT,
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "neutral",
    target: "es2024",
    packages: "external",
    external: ["node:*", ONLY_IN_A_CLONE],
    charset: "utf8",
    chunkNames: "shared-[hash]",
    metafile: true,
    logLevel: "warning",
  });
  const outputs = new Map(Object.entries(metafile.outputs));
  const seen = new Set<string>();
  const visit = (path: string): void => {
    if (seen.has(path)) return;
    seen.add(path);
    for (const { path: imported, external } of outputs.get(path)?.imports ?? []) {
      if (external) throw new Error(`./${PURE} must depend on nothing, and imports ${imported}`);
      visit(imported);
    }
  };
  visit(relative(ROOT, join(OUT, `${PURE}.js`)).replaceAll(sep, "/"));
}

/** Declarations of what the entries reach, in the folders of the sources, with specifiers that any resolution takes. */
function buildTypes(): void {
  const folder = mkdtempSync(join(tmpdir(), "coffer-types-"));
  try {
    const config = join(folder, "tsconfig.json");
    const options = {
      extends: join(ROOT, "tsconfig.json"),
      compilerOptions: {
        noEmit: false,
        declaration: true,
        emitDeclarationOnly: true,
        stripInternal: true,
        rootDir: ROOT,
        outDir: join(folder, "types"),
        typeRoots: [join(ROOT, "node_modules/@types")],
      },
      include: [],
      files: Object.values(ENTRIES).map((entry) => join(ROOT, entry)),
    };
    writeFileSync(config, JSON.stringify(options));
    const tsc = join(ROOT, "node_modules/typescript/bin/tsc");
    const { status } = spawnSync(process.execPath, [tsc, "-p", config], { cwd: ROOT, stdio: "inherit" });
    if (status !== 0) throw new Error("The types cannot be built: see above");
    const written = new Set<string>();
    for (const [name, source] of Object.entries(ENTRIES)) {
      writeTypes(join(folder, "types"), source.replace(/\.ts$/, ".d.ts"), written);
      const target = `./types/${source.replace(/\.ts$/, ".js")}`;
      writeFileSync(join(OUT, `${name}.d.ts`), `export * from "${target}";\n`);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Writes a declaration file, and those that it imports. */
function writeTypes(from: string, path: string, written: Set<string>): void {
  if (written.has(path)) return;
  written.add(path);
  const reached: string[] = [];
  const text = readFileSync(join(from, path), "utf8").replace(
    /(\bfrom |\bimport\(|\bimport )(["'])(#|\.\.?\/)([^"']+)\.ts\2/g,
    (_all, keyword: string, quote: string, start: string, rest: string) => {
      const target = start === "#" ? rest : join(dirname(path), `${start}${rest}`).replaceAll(sep, "/");
      reached.push(`${target}.d.ts`);
      const specifier = relative(dirname(path), target).replaceAll(sep, "/");
      return `${keyword}${quote}${specifier.startsWith(".") ? specifier : `./${specifier}`}.js${quote}`;
    },
  );
  const file = join(OUT, "types", path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
  for (const one of reached) writeTypes(from, one, written);
}
