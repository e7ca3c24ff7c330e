import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative, sep } from "node:path";
import { EMBED, ENTRIES, TESTING } from "./entries.ts";
import { OUT, ROOT } from "./paths.ts";

const TYPED = { ...ENTRIES, ...EMBED, ...TESTING };

/** Declarations of what the entries reach, in the folders of the sources, with specifiers that any resolution takes. */
export function buildTypes(): void {
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
      files: Object.values(TYPED).map((entry) => join(ROOT, entry)),
    };
    writeFileSync(config, JSON.stringify(options));
    const tsc = join(ROOT, "node_modules/typescript/bin/tsc");
    const { status } = spawnSync(process.execPath, [tsc, "-p", config], { cwd: ROOT, stdio: "inherit" });
    if (status !== 0) throw new Error("The types cannot be built: see above");
    const written = new Set<string>();
    for (const [name, source] of Object.entries(TYPED)) {
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
