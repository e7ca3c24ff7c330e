/** A device that has never seen the account, with a thousand documents in it: what it takes until each has its name. In Chromium with all real parts. */

import type { Page, Request } from "playwright";
import { beforeAll, expect, it } from "vitest";
import { connect } from "#cli/client.ts";
import { loopbackFetch } from "#cli/loopback-fetch.ts";
import { enterDocuments, sealNames } from "../support/many-documents.ts";
import { openEnrolled, signIn, useSystemAndBrowser } from "../system/index.ts";

const { system, browsing } = useSystemAndBrowser();
const COUNT = 1000;
const USER = "Ada";

/** By now, or within two minutes. */
async function named(page: Page): Promise<number> {
  const count = page.locator("[data-count]");
  for (let looks = 0; looks < 600; looks++) {
    if ((await count.getAttribute("data-named")) === String(COUNT)) break;
    await page.waitForTimeout(200);
  }
  return Number(await count.getAttribute("data-named"));
}

beforeAll(async () => {
  const { appOrigin: app, vaultOrigin: vault, running } = system;
  const client = await connect({ app, vault, rootKey: running.rootKey, user: USER, fetch: loopbackFetch });
  const account = client.account();
  await client.documents.seal(new TextEncoder().encode("first"), account, { name: "first.txt" });
  const names = await sealNames(client, account, COUNT - 1);
  client.close();
  await system.restart(() => enterDocuments(system.edgeDir, account, names));
  // The first device that sees them enters them in the account's index.
  const page = await openEnrolled({ system, browsing }, USER);
  expect(await named(page)).toBe(COUNT);
  let last = performance.now();
  page.context().on("request", () => (last = performance.now()));
  while (performance.now() - last < 3000) await page.waitForTimeout(500);
  await page.context().close();
}, 300_000);

it("has all names on a new device by at most 20 requests, its enrolment among them", async () => {
  const { page, context } = await browsing.open();
  const asked: string[] = [];
  context.on("request", (request: Request) => {
    // The Service Worker gets the page's files, whatever the list has.
    if (request.resourceType() === "fetch" && !request.serviceWorker())
      asked.push(`${request.method()} ${new URL(request.url()).pathname}`);
  });
  await signIn(page, system, USER);
  expect(await named(page)).toBe(COUNT);
  const requests = asked.filter((each) => !each.endsWith(".json"));
  expect(requests.length, requests.join("\n")).toBeLessThanOrEqual(20);
  // None for a document, whom each is shared with included.
  expect(asked.filter((each) => each.endsWith("/metadata"))).toEqual([]);
  const shares = () =>
    asked.filter((each) => each.endsWith("/shares")).map((each) => each.replace(/accounts\/.*\//, ""));
  await expect.poll(shares).toEqual(["GET /kms/shares"]);
  await context.close();
});
