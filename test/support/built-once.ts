/**
 * Has the systems of one run of tests share what is built for them: page, vault and worker, the same bytes from the same sources. Each test process
 * would build them again at each start, and load wrangler for it. A setup file of vitest; the folder is that of built-folder.ts.
 */

import { fileURLToPath } from "node:url";
import { inject, vi } from "vitest";
import { once } from "./built.ts";

vi.mock("#cli/parts/sources.ts", async (original) => {
  const built = await original<typeof import("#cli/parts/sources.ts")>();
  const kept = {
    folder: inject("built"),
    root: fileURLToPath(new URL("../..", import.meta.url)),
    // What bundles and bindings are made of, and the versions of what is taken from packages.
    sources: [
      "{edge,protocol,web}/**/*.*",
      "wrangler*.toml",
      "package.json",
      "package-lock.json",
      "tsconfig.json",
    ],
  };
  return {
    ...built,
    edgeWorker: () => once(kept, "worker", built.edgeWorker),
    edgeUnits: () => once(kept, "units", built.edgeUnits),
    webParts: () => once(kept, "web", built.webParts),
  };
});
