type Manifest = Record<string, unknown> & {
  exports: Record<string, { types: string; default: string }>;
  dependencies: Record<string, string>;
};

/** What a clone needs and an installed package has no use for. */
const OF_A_CLONE = ["private", "imports", "scripts", "devDependencies", "optionalDependencies"];

/** The manifest that is published: this repository's without what serves its development alone. */
export function publishedManifest(own: Manifest): Manifest {
  return Object.fromEntries(Object.entries(own).filter(([field]) => !OF_A_CLONE.includes(field))) as Manifest;
}
