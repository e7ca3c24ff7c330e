/** What the tests of a file run on: started before them, closed after them. What is returned is filled in between. */

import { afterAll, beforeAll } from "vitest";
import { type System, type SystemOptions, startSystem } from "../support/start.ts";
import { type Browsing, openBrowser } from "./page.ts";

export function useSystem(options?: SystemOptions): System {
  const system = {} as System;
  beforeAll(async () => fill(system, await startSystem(options)));
  afterAll(() => system.close?.());
  return system;
}

/** Both at once; `record` and `lacking` as `openBrowser` has them. */
export function useSystemAndBrowser({
  record = false,
  lacking = [],
  ...options
}: SystemOptions & { record?: boolean; lacking?: readonly string[] } = {}) {
  const [system, browsing] = [{} as System, {} as Browsing];
  beforeAll(async () => {
    await Promise.all([
      startSystem(options).then((started) => fill(system, started)),
      openBrowser({ record, lacking }).then((opened) => fill(browsing, opened)),
    ]);
  });
  afterAll(async () => {
    await browsing.close?.();
    await system.close?.();
  });
  return { system, browsing };
}

/** Gives `empty` all that `started` has, getters as such. */
function fill<T extends object>(empty: T, started: T): void {
  Object.defineProperties(empty, Object.getOwnPropertyDescriptors(started));
}
