import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("../..", import.meta.url));
/** Where the package's entries are built, here as in what is published. */
export const OUT = fileURLToPath(new URL("../../dist/package", import.meta.url));
