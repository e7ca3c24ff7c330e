/** A registry that has what is installed here, so that `npm install` needs no network and finds no newer version. */

import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { npm } from "#cli/npm.js";
import { listen } from "../support/ports.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

type Dependencies = Record<string, string>;
type Packed = { name: string; version: string; filename: string; integrity: string };

/** Serves these packages and all that they depend on, packed into `folder`. */
export async function startRegistry(
  names: readonly string[],
  folder: string,
): Promise<{ url: string; server: Server }> {
  const installed = [...closure(names)];
  const { command, args } = npm();
  const pack = [
    "pack",
    ...installed,
    "--json",
    "--offline",
    "--ignore-scripts",
    "--pack-destination",
    folder,
  ];
  const { stdout, stderr } = spawnSync(command, [...args, ...pack], { cwd: folder, encoding: "utf8" });
  if (!stdout) throw new Error(stderr);
  const packed = JSON.parse(stdout) as Packed[];
  const server = createServer(({ url = "/" }, response) => {
    const path = decodeURIComponent(url.slice(1));
    const file = packed.find(({ filename }) => path === `-/${filename}`);
    if (file) return void response.end(readFileSync(join(folder, file.filename)));
    const versions = packed.filter(({ name }) => name === path);
    if (versions.length === 0) return void response.writeHead(404).end();
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify(document(versions)));
  });
  const origin = `http://127.0.0.1:${await listen(server)}`;
  const manifests = new Map(installed.map((at) => [idOf(manifest(at)), manifest(at)]));
  /** What npm asks about a package. */
  const document = (versions: Packed[]) => ({
    name: versions[0]?.name,
    "dist-tags": { latest: versions[0]?.version },
    versions: Object.fromEntries(
      versions.map((one) => [
        one.version,
        {
          ...manifests.get(idOf(one)),
          dist: { tarball: `${origin}/-/${one.filename}`, integrity: one.integrity },
        },
      ]),
    ),
  });
  return { url: origin, server };
}

/** Folders of packages and of all that they depend on, each as its dependant finds it. */
function closure(names: readonly string[], from = ROOT, found = new Set<string>()): Set<string> {
  for (const name of names) {
    const folder = folderOf(name, from);
    if (found.has(folder)) continue;
    found.add(folder);
    closure(Object.keys(manifest(folder).dependencies ?? {}), folder, found);
  }
  return found;
}

function folderOf(name: string, from: string): string {
  const folder = join(from, "node_modules", name);
  if (existsSync(folder)) return folder;
  if (dirname(from) === from) throw new Error(`${name} is not installed`);
  return folderOf(name, dirname(from));
}

function manifest(folder: string): { name: string; version: string; dependencies?: Dependencies } {
  return JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
}

const idOf = ({ name, version }: { name: string; version: string }) => `${name}@${version}`;
