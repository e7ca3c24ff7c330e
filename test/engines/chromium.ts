/** Chromium by playwright. */

import { launchChromium } from "../chromium/index.ts";
import type { Driver, Engine } from "./driver.ts";

export const chromium: Engine = {
  name: "Chromium",
  // `npm test` has installed one, or ended.
  missing: () => false,
  open,
};

async function open(): Promise<Driver> {
  const { browser, close } = await launchChromium({ partitionStorage: true });
  const page = await browser.newPage();
  const said: string[] = [];
  page.on("pageerror", (error) => said.push(String(error)));
  page.on("console", (message) => {
    if (message.type() === "error") said.push(message.text());
  });
  return {
    async goto(url) {
      said.length = 0;
      await page.goto(url);
    },
    run: <T>(body: string) => page.evaluate(`(async () => { ${body} })()`) as Promise<T>,
    press: (selector) => page.click(selector),
    complaints: async () => [...said],
    close,
  };
}
