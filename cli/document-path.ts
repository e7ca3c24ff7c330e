import { relative } from "node:path";
import { fileURLToPath } from "node:url";
import { MANIFEST } from "./parts/index.ts";

/** The path of a document of `docs`, which the package has beside its manifest, from the folder in which the command runs. */
export function documentPath(name: string): string {
  const path = fileURLToPath(new URL(`docs/${name}`, MANIFEST));
  const fromHere = relative(process.cwd(), path);
  return fromHere.startsWith("..") ? path : fromHere;
}
