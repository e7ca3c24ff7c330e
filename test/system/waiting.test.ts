/** What a person reads while the server asks the page to wait: in Chromium, against the real limit, which is low here. */

import { expect, it } from "vitest";
import { EdgeClient } from "../support/edge-client.ts";
import { openEnrolled, useSystemAndBrowser } from "./index.ts";

const LIMIT = 60;
const running = useSystemAndBrowser({ vars: { COFFER_REQUESTS_PER_TEN_SECONDS: String(LIMIT) } });
const { system } = running;

it("the page says how long it waits, goes on by itself, and the document is sealed", async () => {
  const page = await openEnrolled(running, "Ada");
  // A script of the same person's takes what there is.
  const script = await EdgeClient.signedIn(system, "Ada");
  let working = true;
  const statuses: number[] = [];
  const take = async () => {
    while (working) statuses.push((await script.rest("GET", "/ra/instances")).status);
  };
  const taking = Promise.all([take(), take()]);
  try {
    await expect.poll(() => statuses.includes(429), { timeout: 30_000 }).toBe(true);
    await page
      .getByLabel("Files to seal")
      .setInputFiles({ name: "letter.txt", mimeType: "text/plain", buffer: Buffer.from("hello") });
    const asks = page.getByText(/^The server asks to wait \d+ s …$/).first();
    await expect.poll(() => asks.isVisible(), { timeout: 30_000 }).toBe(true);
  } finally {
    working = false;
    await taking;
  }
  // Nobody presses anything.
  const row = page.getByRole("list", { name: "Documents" }).getByRole("listitem");
  const sealed = row.filter({ hasText: "letter.txt" });
  await sealed.getByRole("button", { name: "Save letter.txt" }).waitFor({ timeout: 60_000 });
  expect(await page.getByText(/The server asks to wait/).isVisible()).toBe(false);
  expect(await page.getByRole("alert").allTextContents()).toEqual([]);
}, 180_000);
