/** What an app pays for the kit: the size of a bundle, and what may not be in it. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { build, type Metafile } from "esbuild";
import { beforeAll, expect, it } from "vitest";
import { type Project, packPackage } from "./installed.ts";

/** Bytes, gzip, as kB of 1,000: of what is loaded at the start, and with all that is loaded on demand. */
const BUDGET = {
  // Whole with what sharing, the queue of uploads, and lists that are kept and deletions ahead take, which are loaded on demand: some 2, 2.5 and 2.5 kB.
  // Of it, 700 open what waits, have a document wait whose last answer is lost, and end an own key; 100 tell what the KMS keeps; 1,600 have versions of a document; 400 open the vault without a network, and look up once which of many documents are meant; 250 seal copies of names again under a later key; 50 open copies a batch a task and have them collected; 60 check what is answered of an own key that is changed; 100 take a microservice of the app's own.
  kit: { start: 12_100, whole: 55_970 },
  // Both ends of the port and both stores, of which a bundle has one each; what the vault measures is bounded in web/build.test.ts.
  // Of the latter, 1,000 keep an instance's keys under a passkey (M4), and 500 open by key records and load own keys that are retained.
  microservice: { start: 52_700, whole: 52_700 },
};

let project: Project;

beforeAll(() => {
  project = packPackage().install("project");
});

it.each([
  {
    name: "kit",
    source: `export { connect } from "@coffer/kit";`,
    forbidden: ["kmip", "x509", "node"],
  },
  {
    name: "microservice",
    source: `export * from "@coffer/kit/microservice";`,
    forbidden: ["kmip", "x509", "node"],
  },
] as const)(
  "the $name keeps to its budget, and has nothing of $forbidden",
  async ({ name, source, forbidden }) => {
    const { start, whole, modules } = await bundle(source);
    const kB = (bytes: number) => `${(bytes / 1000).toFixed(1)} kB gzip`;
    console.log(`${name}: ${kB(start)} at the start, ${kB(whole)} the whole`);
    const foreign = modules.filter((module) => forbidden.some((word) => FORBIDDEN[word].test(module)));
    expect(foreign).toEqual([]);
    expect(modules).toEqual(expect.arrayContaining(["protocol/shape.ts", "protocol/port/operations.ts"]));
    expect(start).toBeLessThanOrEqual(BUDGET[name].start);
    expect(whole).toBeLessThanOrEqual(BUDGET[name].whole);
  },
);

const FORBIDDEN = {
  kmip: /^protocol\/kmip\/|^kmip-node\//,
  x509: /@peculiar|asn1/,
  node: /^node:/,
};

/** As an app's bundler makes it: bytes of what is loaded at the start and of all that can be loaded, and the sources of all. */
async function bundle(source: string): Promise<{ start: number; whole: number; modules: string[] }> {
  const { outputFiles, metafile } = await build({
    stdin: { contents: source, resolveDir: project.folder },
    absWorkingDir: project.folder,
    outdir: join(project.folder, "bundled"),
    bundle: true,
    splitting: true,
    minify: true,
    write: false,
    metafile: true,
    format: "esm",
    target: "es2024",
    platform: "browser",
    external: ["node:*"],
    legalComments: "none",
  });
  // A server compresses each file by itself.
  const sizes = new Map(
    outputFiles.map(({ path, contents }) => [path, gzipSync(contents, { level: 9 }).length]),
  );
  const sum = (all: Iterable<number>) => [...all].reduce((total, size) => total + size, 0);
  const start = [...atStart(metafile)].map((path) => sizes.get(join(project.folder, path))!);
  return { start: sum(start), whole: sum(sizes.values()), modules: modulesOf(metafile) };
}

/** The entry, and what it imports other than on demand. */
function atStart({ outputs }: Metafile): Set<string> {
  const seen = new Set<string>();
  const visit = (path: string) => {
    if (seen.has(path)) return;
    seen.add(path);
    for (const { path: imported, kind } of outputs[path]!.imports)
      if (kind === "import-statement" && outputs[imported]) visit(imported);
  };
  for (const [path, { entryPoint }] of Object.entries(outputs)) if (entryPoint === "<stdin>") visit(path);
  return seen;
}

/** Sources in the bundle: those that the package's files name in their comments, packages, and what was left external. */
function modulesOf({ inputs, outputs }: Metafile): string[] {
  const used = new Set(Object.values(outputs).flatMap((output) => Object.keys(output.inputs)));
  const sources = [...used].flatMap((path) => {
    if (!path.includes("@coffer/kit/dist")) return path === "<stdin>" ? [] : [path];
    const text = readFileSync(join(project.folder, path), "utf8");
    return [...text.matchAll(/^\/\/ ([\w./-]+\.ts)$/gm)].map(([, source]) => source!);
  });
  const external = Object.values(inputs).flatMap(({ imports }) =>
    imports.filter((one) => one.external).map(({ path }) => path),
  );
  return [...sources, ...external];
}
