import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Metafile } from "esbuild";
import { ROOT } from "./paths.ts";

/** The file of the package that names whose code it has in it. */
export const NOTICES = "THIRD-PARTY-NOTICES";

/** Others' packages of which code is in a build, by their folders in the repository. */
export function bundledPackages({ outputs }: Metafile): string[] {
  const sources = Object.values(outputs).flatMap(({ inputs }) =>
    Object.entries(inputs).flatMap(([path, { bytesInOutput }]) => (bytesInOutput > 0 ? [path] : [])),
  );
  // The last one: a package may lie below another.
  const folders = sources.map(
    (path) => /(?:^|\/)(node_modules\/(?:.*\/node_modules\/)?(?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1],
  );
  return [...new Set(folders.filter((folder) => folder !== undefined))];
}

/** Name, version and licence of each, with the text that its licence wants in every copy. Throws where one has none. */
export function noticesOf(folders: Iterable<string>): string {
  const notices = [...new Set(folders)].toSorted().map(noticeOf);
  return `@coffer/kit has code of these packages in it, under their own licences.\n\n${notices.join("\n")}`;
}

function noticeOf(folder: string): string {
  const manifest = JSON.parse(readFileSync(join(ROOT, folder, "package.json"), "utf8")) as Manifest;
  const { name, version, license } = manifest;
  const files = readdirSync(join(ROOT, folder)).filter((file) =>
    /^(licen[cs]e|copying|notice)\b/i.test(file),
  );
  if (files.length === 0) throw new Error(`${folder} is built into the package and has no licence file`);
  const texts = files.toSorted().map((file) => readFileSync(join(ROOT, folder, file), "utf8").trim());
  return `${"-".repeat(80)}\n${name} ${version} (${license})\n\n${texts.join("\n\n")}\n`;
}

type Manifest = { name: string; version: string; license: string };
