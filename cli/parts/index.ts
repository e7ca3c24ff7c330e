/**
 * The built parts that `coffer start` runs, from a clone's sources or from the package.
 * May import edge/ and web/ where they are built; imported by cli alone.
 */
export { COFFER, edgeWorker, MANIFEST, START, webParts } from "./sources.ts";
