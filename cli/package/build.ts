/**
 * Builds what is published in `dist/package`: JavaScript and types of the package's entries, since Node takes no TypeScript
 * below node_modules, the command, and the edge worker, vault and page that it starts. `npm ci` runs it once (`prepare.js`),
 * `npm run package` each time.
 */
import { rmSync } from "node:fs";
import { buildParts } from "./parts.ts";
import { OUT } from "./paths.ts";
import { buildScripts } from "./scripts.ts";
import { buildTypes } from "./types.ts";

rmSync(OUT, { recursive: true, force: true });
await buildScripts();
await buildParts();
buildTypes();
