/**
 * Builds `dist/package`: JavaScript and types of the package's entries, since Node takes no TypeScript below node_modules, and
 * the command. `npm ci` runs it once (`prepare.js`); `npm run package` each time, and adds the edge worker, vault and page.
 */
import { rmSync } from "node:fs";
import { OUT } from "./paths.ts";
import { buildScripts } from "./scripts.ts";
import { buildTypes } from "./types.ts";

rmSync(OUT, { recursive: true, force: true });
await buildScripts();
buildTypes();
