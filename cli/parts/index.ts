/**
 * The built parts that `coffer start` runs, from a clone's sources or from the package. May import: edge/bundle.ts,
 * types of edge/local.ts, web/*.ts, node:. Imported by cli alone.
 */
export { COFFER, edgeUnits, edgeWorker, MANIFEST, START, webParts } from "./sources.ts";
