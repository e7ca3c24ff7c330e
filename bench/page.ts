import type { Page } from "playwright";
import { connect } from "#cli/client.ts";
import { loopbackFetch } from "#cli/loopback-fetch.ts";
import { enterDocuments, sealNames } from "#test/support/many-documents.ts";
import { startSystem } from "#test/support/start.ts";
import { type Browsing, openBrowser, signIn, untilEnrolled } from "#test/system/index.ts";
import { firstDocument } from "./page/first-document.ts";
import { progress, type Report } from "./row.ts";

/** Documents of a list; COFFER_BENCH_DOCUMENTS has others measured. */
const DOCUMENTS = [1, 1000, 10_000];
const SMALL_FILES = 200;

/**
 * The page with many documents, in Chromium with all real parts: how long until a new device shows all names and how many requests that
 * takes, a reload with a device that knows the account, and sealing many small files; and the way of a new person to the first document.
 */
export async function run(report: Report): Promise<void> {
  await firstDocument(report);
  const system = await startSystem({ vars: { COFFER_REQUESTS_PER_TEN_SECONDS: "1000000" } });
  const browsing = await openBrowser();
  try {
    const counts = process.env.COFFER_BENCH_DOCUMENTS?.split(",").map(Number) ?? DOCUMENTS;
    for (const count of counts) {
      const user = `Ada ${count}`;
      const { appOrigin: app, vaultOrigin: vault, running } = system;
      const client = await connect({ app, vault, rootKey: running.rootKey, user, fetch: loopbackFetch });
      const account = client.account();
      await client.documents.seal(new TextEncoder().encode("first"), account, { name: "first.txt" });
      const names = await sealNames(client, account, count - 1);
      client.close();
      await system.restart(() => enterDocuments(system.edgeDir, account, names));
      progress(`${count} documents`);
      await listed(report, { browsing, system, user, count });
    }
    await sealed(report, { browsing, system });
  } finally {
    await browsing.close();
    await system.close();
  }
}

type System = Awaited<ReturnType<typeof startSystem>>;

async function listed(
  report: Report,
  { browsing, system, user, count }: { browsing: Browsing; system: System; user: string; count: number },
): Promise<void> {
  const say = (name: string, value: number, unit: string) =>
    report({ id: `page/${count}-documents/${name}`, value, unit, versus: null, ratio: null });
  const { page, context } = await browsing.open();
  await watch(page);
  await signIn(page, system, user);
  await untilEnrolled(page);
  await allNamed(page, count);
  let requests = 0;
  page.on("request", (request) => {
    if (request.resourceType() === "fetch") requests++;
  });
  for (const name of ["new-device", "reload"]) {
    requests = 0;
    if (name === "new-device") await forgetKeys(page);
    const began = performance.now();
    await page.reload({ waitUntil: "commit" });
    await page
      .locator("coffer-document [data-name]", { hasText: /\.(txt|pdf)$/ })
      .first()
      .waitFor();
    say(`${name}/first-screen`, performance.now() - began, "ms");
    await allNamed(page, count);
    say(`${name}/all-names`, performance.now() - began, "ms");
    say(`${name}/requests`, requests, "requests");
    const long = await page.evaluate(() => (globalThis as unknown as { longest: number }).longest);
    say(`${name}/longest-task`, long, "ms");
  }
  const heap = await page.evaluate(
    () => (performance as unknown as { memory: { usedJSHeapSize: number } }).memory.usedJSHeapSize,
  );
  say("heap-of-the-page", heap / 2 ** 20, "MiB");
  await context.close();
}

/** Keeps the longest task of the page's own thread. */
async function watch(page: Page): Promise<void> {
  await page.addInitScript(() => {
    const kept = globalThis as unknown as { longest: number };
    kept.longest = 0;
    new PerformanceObserver((list) => {
      for (const { duration } of list.getEntries()) kept.longest = Math.max(kept.longest, duration);
    }).observe({ type: "longtask", buffered: true });
  });
}

/** As a new device: keys of its own, none loaded. */
async function forgetKeys(page: Page): Promise<void> {
  await page.getByRole("button", { name: "Vaults", exact: true }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Renew", exact: true }).click();
  await page.getByText("the ones before are revoked").waitFor();
  await page.keyboard.press("Escape");
}

/** Until the page says that every document has its name. */
async function allNamed(page: Page, count: number): Promise<void> {
  await page.waitForFunction(
    (wanted) => document.querySelector("[data-count]")?.getAttribute("data-named") === String(wanted),
    count,
    // Looked at now and then: at each frame, the page would draw as often for the measuring alone.
    { timeout: 120_000, polling: 50 },
  );
}

/** Many small files chosen at once, until the last stands in the list. */
async function sealed(
  report: Report,
  { browsing, system }: { browsing: Browsing; system: System },
): Promise<void> {
  const { page, context } = await browsing.open();
  await signIn(page, system, "Bea");
  await untilEnrolled(page);
  const files = Array.from({ length: SMALL_FILES }, (_, at) => ({
    ...{ name: `note ${at}.txt`, mimeType: "text/plain", buffer: Buffer.from(`note ${at}`) },
  }));
  const began = performance.now();
  await page.getByLabel("Files to seal").setInputFiles(files);
  await allNamed(page, SMALL_FILES);
  const value = performance.now() - began;
  report({ id: `page/seal-${SMALL_FILES}-small-files`, value, unit: "ms", versus: null, ratio: null });
  await context.close();
}
