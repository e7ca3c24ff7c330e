/** The package as `npm run package` makes it, unpacked below a project's node_modules with what its manifest declares. */

import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { afterAll } from "vitest";
import { unpackTar } from "#cli/tar.js";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

export type Manifest = Record<"dependencies" | "peerDependencies", Record<string, string>> &
  Record<string, unknown>;

/** The package of this tree; all that is made of it is removed when the tests of the file have ended. */
export function packPackage(): { tarball: Buffer; install(name: string, has?: Has): Project } {
  const dir = mkdtempSync(join(tmpdir(), "coffer-package-"));
  afterAll(() => rmSync(dir, { recursive: true, force: true }));
  const tarball = packed();
  return { tarball, install: (name, has) => install(join(dir, name), tarball, has) };
}

/** Packs once for all files of tests, and again when the tree is another: the tarball's name is a hash of all that it is made of. */
function packed(): Buffer {
  const kept = join(ROOT, "dist/tarball");
  const file = join(kept, `${hashOfTree()}.tgz`);
  // One of several files of tests at a time: all build in one folder.
  const release = existsSync(file) ? undefined : waitForTurn(`${kept}.lock`, () => existsSync(file));
  if (release) {
    try {
      pack(kept, file);
    } finally {
      release();
    }
  }
  return readFileSync(file);
}

function pack(kept: string, file: string): void {
  rmSync(kept, { recursive: true, force: true });
  const made = join(kept, "made");
  mkdirSync(made, { recursive: true });
  const options = ["--silent", "--offline", "--pack-destination", made];
  execFileSync(process.execPath, [join(ROOT, "cli/package/pack.ts"), ...options], { cwd: ROOT });
  const [name] = readdirSync(made);
  renameSync(join(made, name!), file);
}

/** Takes the lock, and answers how to give it back; undefined when somebody else has done what it is for. */
function waitForTurn(lock: string, done: () => boolean): (() => void) | undefined {
  const waiting = new Int32Array(new SharedArrayBuffer(4));
  const release = () => rmSync(lock, { recursive: true, force: true });
  mkdirSync(dirname(lock), { recursive: true });
  while (!done()) {
    try {
      mkdirSync(lock);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      // Of one that was ended in the middle: packing takes a minute on a slow machine.
      const since = statSync(lock, { throwIfNoEntry: false })?.mtimeMs ?? Date.now();
      if (Date.now() - since > 5 * 60_000) release();
      Atomics.wait(waiting, 0, 0, 200);
      continue;
    }
    if (!done()) return release;
    // Somebody ended between the two looks.
    release();
  }
  return undefined;
}

/** Of the names and contents of all files but those that are made, hidden, tests or measurements. */
function hashOfTree(): string {
  const others = /^(\.|(node_modules|dist|test|bench)$)/;
  const hash = createHash("sha256");
  const roots = readdirSync(ROOT).filter((name) => !others.test(name));
  const paths = roots.flatMap((name) =>
    statSync(join(ROOT, name)).isDirectory()
      ? readdirSync(join(ROOT, name), { recursive: true, encoding: "utf8" }).map((path) => join(name, path))
      : [name],
  );
  for (const path of paths.toSorted()) {
    if (!statSync(join(ROOT, path)).isFile() || path.endsWith(".test.ts")) continue;
    const content = readFileSync(join(ROOT, path));
    hash.update(`${path}\0${content.length}\0`).update(content);
  }
  return hash.digest("hex");
}

/** What a project has beside the package. */
export type Has = {
  /** The dependencies that its manifest declares: true unless said otherwise. */
  dependencies?: boolean;
  /** Packages that it installed itself. */
  also?: string[];
};

export type Project = {
  folder: string;
  /** Where the package is. */
  kit: string;
  manifest: Manifest;
  /** What plain Node prints, without loader or flag: its complaint where it fails. */
  node(source: string): string;
  /** Runs tsc over a consumer with nothing but these options. Empty output: it type-checks. */
  types(source: string, compilerOptions: object): string;
};

/**
 * A project with the package and what else it has. The others are links into this
 * repository's node_modules: the package itself finds none but these.
 */
function install(folder: string, tarball: Buffer, { dependencies = true, also = [] }: Has = {}): Project {
  const kit = join(folder, "node_modules/@coffer/kit");
  unpackTar(gunzipSync(tarball), kit, { strip: "package/" });
  writeFileSync(join(folder, "package.json"), JSON.stringify({ type: "module" }));
  const manifest = JSON.parse(readFileSync(join(kit, "package.json"), "utf8")) as Manifest;
  for (const name of [...(dependencies ? Object.keys(manifest.dependencies) : []), ...also]) {
    const link = join(folder, "node_modules", name);
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(join(ROOT, "node_modules", name), link, "dir");
  }
  const run = (args: string[]) => {
    const { NODE_OPTIONS: _options, ...env } = process.env;
    const { stdout, stderr } = spawnSync(process.execPath, args, { cwd: folder, encoding: "utf8", env });
    return `${stdout}${stderr}`.trim();
  };
  return {
    folder,
    kit,
    manifest,
    node(source) {
      writeFileSync(join(folder, "script.mjs"), source);
      return run(["script.mjs"]);
    },
    types(source, compilerOptions) {
      writeFileSync(join(folder, "consumer.ts"), source);
      writeFileSync(
        join(folder, "tsconfig.json"),
        JSON.stringify({ compilerOptions, files: ["consumer.ts"] }),
      );
      return run([join(ROOT, "node_modules/typescript/bin/tsc"), "-p", folder]);
    },
  };
}
