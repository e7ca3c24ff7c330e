/** The tag for a page without a bundler: one script that has the kit in it, and defines the element. */
import { defineCofferVault } from "./index.ts";

export * from "./index.ts";

defineCofferVault();
