/**
 * Looks for secrets where they must not be: in the memory of a process, in files, in captured traffic.
 * May import node: and nothing of the product. Imported by tests only.
 */
export { scanBytes, scanDirectory, scanSqlite } from "./files.ts";
export { type Needle, needle, patternsOf, textNeedle } from "./needle.ts";
export { canReadMemory, scanProcess } from "./process.ts";
export { createSearch, type Finding, type Search } from "./search.ts";
export { type MemoryWatch, watchMemory } from "./watch.ts";
