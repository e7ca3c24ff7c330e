/**
 * A large file through the page, in and out, within bounds of memory. 64 MiB by default; COFFER_LARGE=1 makes it the 1 GiB
 * that is promised. The bounds are the same for both.
 */

import { statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import { useSystem } from "../system/index.ts";
import {
  type Chromium,
  digestOf,
  openChromium,
  othersRunning,
  watchMemory,
  writeRandomFile,
} from "./index.ts";
import { openPage, savePath, sealPath } from "./page.ts";

const SIZE = process.env.COFFER_LARGE ? 1 << 30 : 64 << 20;
const MINUTES = 60_000;
/** MiB above what the browser holds at rest, and MiB of workerd in all. */
const BROWSER_LIMIT = 200;
const WORKERD_LIMIT = 300;

const system = useSystem();
let chromium: Chromium;

beforeAll(async () => {
  chromium = await openChromium();
});
afterAll(async () => {
  await chromium?.close();
});

it(
  `a file of ${SIZE >> 20} MiB is sealed and saved through the page, byte for byte, in bounded memory`,
  async () => {
    const path = join(chromium.folder, "large.bin");
    const digest = await writeRandomFile(path, SIZE);
    const page = await openPage(chromium, system);

    const before = othersRunning(chromium.pid);
    const groups = { chromium: chromium.pid, workerd: system.pid };
    const idle = await measured(groups, () => delay(3000));
    const sealing = await measured(groups, () => sealPath(page, path));
    const saving = await measured(groups, () => savePath(page, "large.bin"));
    page.detach();
    const alone = before === 0 && othersRunning(chromium.pid) === 0;
    expect(statSync(saving.value).size).toBe(SIZE);
    expect(await digestOf(saving.value)).toBe(digest);

    const rest = idle.memory.chromium;
    for (const [what, { seconds, memory }] of Object.entries({ sealing, saving })) {
      const above = memory.chromium.peak - rest.median;
      const own = memory.chromium.ownPeak - rest.ownMedian;
      const rate = (SIZE / (1 << 20) / seconds).toFixed(1);
      console.info(
        `${what} ${SIZE >> 20} MiB: ${seconds.toFixed(1)} s, ${rate} MiB/s; Chromium ${above} MiB above ` +
          `${rest.median} MiB at rest (${own} above ${rest.ownMedian} without mapped files); workerd ${memory.workerd.peak} MiB; ${memory.chromium.samples} samples, ` +
          `longest gap ${memory.chromium.gap} ms`,
      );
      expect.soft(memory.chromium.samples, "enough samples").toBeGreaterThan(seconds);
      expect.soft(own, `Chromium while ${what}, MiB above rest, own`).toBeLessThan(BROWSER_LIMIT);
      // Where other browsers come and go, the program's own pages weigh more or less than before.
      if (alone) expect.soft(above, `Chromium while ${what}, MiB above rest`).toBeLessThan(BROWSER_LIMIT);
      expect.soft(memory.workerd.peak, `workerd while ${what}, MiB`).toBeLessThan(WORKERD_LIMIT);
    }
  },
  40 * MINUTES,
);

async function measured<G extends string, T>(groups: Record<G, number>, work: () => Promise<T>) {
  const watch = watchMemory(groups);
  const began = performance.now();
  try {
    const value = await work();
    return { value, seconds: (performance.now() - began) / 1000, memory: await watch.stop() };
  } catch (error) {
    await watch.stop();
    throw error;
  }
}
