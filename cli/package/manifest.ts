import { NOTICES } from "./notices.ts";

type Manifest = Record<string, unknown> & {
  exports: Record<string, { types: string; default: string }>;
  dependencies: Record<string, string>;
  files: string[];
};

/** What a clone needs and an installed package has no use for. */
const OF_A_CLONE = ["private", "imports", "scripts", "devDependencies", "optionalDependencies"];

/** The manifest that is published: this repository's without what serves its development alone, and with what is made in packing. */
export function publishedManifest(own: Manifest): Manifest {
  const kept = Object.entries(own).filter(([field]) => !OF_A_CLONE.includes(field));
  return { ...(Object.fromEntries(kept) as Manifest), files: [...own.files, NOTICES] };
}
