import { probe } from "./probe.ts";

/** For a page: a function for the test to call. */
Object.assign(globalThis, { probe });
