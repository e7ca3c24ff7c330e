/**
 * Documents on real input: through the page in Chromium, through the command line, and read by a foreign client.
 * May import everything. Imported by the tests of this folder, by test/cli and by bench/.
 */
export { type Chromium, openChromium, othersRunning, type PageSession } from "./chromium.ts";
export { digestOf, writeRandomFile } from "./content.ts";
export { type MemoryReport, watchMemory } from "./memory.ts";
