import { readFileSync } from "node:fs";
import type { Browser, Page } from "playwright";
import { connect } from "#cli/client.ts";
import { loopbackFetch } from "#cli/loopback-fetch.ts";
import { enterDocuments, sealNames } from "#test/support/many-documents.ts";
import { startSystem } from "#test/support/start.ts";
import { type Browsing, openBrowser, signIn, untilEnrolled } from "#test/system/index.ts";
import { besideAnother } from "./page/against.ts";
import { firstDocument } from "./page/first-document.ts";
import { progress, type Report, type Row } from "./row.ts";

/** Documents of a list; COFFER_BENCH_DOCUMENTS has others measured. */
const DOCUMENTS = [1, 1000, 10_000];
const SMALL_FILES = 200;

/** What may be spent: milliseconds, requests, MiB. */
const BUDGETS: Record<string, number> = {
  "1000-documents/new-device/all-names": 3000,
  "1000-documents/new-device/requests": 20,
  "10000-documents/new-device/all-names": 8000,
  "10000-documents/reload/first-screen": 1000,
  "1000-documents/longest-task": 100,
  "10000-documents/longest-task": 100,
  "10000-documents/memory/held": 150,
  "seal-200-small-files": 6000,
};
/** Without a request for so long, a device has done what it does after a list is shown. Milliseconds. */
const STILL_MS = 3000;

/**
 * The page with many documents, in Chromium with all real parts: how long until a new device shows all names and how many requests that
 * takes, a reload of a device that knows the account, and sealing many small files; and the way of a new person to the first document. `against`:
 * many small files and a reload alone, beside another commit, or the checkout in a folder.
 */
export async function run(report: Report, { against }: { against?: string | undefined } = {}): Promise<void> {
  if (against !== undefined) {
    const browsing = await openBrowser();
    return await besideAnother(report, { browsing, files: SMALL_FILES, against }).finally(browsing.close);
  }
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

function say(report: Report, name: string, value: number, unit: Row["unit"]): void {
  const budget = BUDGETS[name];
  const beside =
    budget === undefined
      ? { versus: null, ratio: null }
      : { versus: `the ${budget} to spend`, ratio: value / budget };
  report({ id: `page/${name}`, value, unit, ...beside });
}

async function listed(
  report: Report,
  { browsing, system, user, count }: { browsing: Browsing; system: System; user: string; count: number },
): Promise<void> {
  const tell = (name: string, value: number, unit: Row["unit"]) =>
    say(report, `${count}-documents/${name}`, value, unit);
  // Documents that were entered behind its back are taken into the account's index by the first device that sees them.
  const first = await browsing.open();
  await signIn(first.page, system, user);
  await allNamed(first.page, count);
  await still(first.page);
  await first.context.close();
  const without = await memoryOfRenderers(browsing.browser);

  const { page, context } = await browsing.open();
  await watch(page);
  let requests = 0;
  context.on("request", (request) => {
    if (request.resourceType() === "fetch" && !request.serviceWorker() && !request.url().endsWith(".json"))
      requests++;
  });
  await signIn(page, system, user);
  const signedIn = performance.now();
  await firstScreen(page);
  tell("new-device/first-screen", performance.now() - signedIn, "ms");
  await allNamed(page, count);
  tell("new-device/all-names", performance.now() - signedIn, "ms");
  tell("new-device/requests", requests, "requests");
  const longest = await longestTask(page);
  await still(page);
  const reloaded = performance.now();
  requests = 0;
  await page.reload({ waitUntil: "commit" });
  await firstScreen(page);
  tell("reload/first-screen", performance.now() - reloaded, "ms");
  await allNamed(page, count);
  tell("reload/all-names", performance.now() - reloaded, "ms");
  tell("reload/requests", requests, "requests");
  tell("longest-task", Math.max(longest, await longestTask(page)), "ms");
  const taken = async () => (await memoryOfRenderers(browsing.browser)) - without;
  tell("memory/taken", await taken(), "MiB");
  await collectGarbage(page);
  tell("memory/held", await taken(), "MiB");
  await context.close();
}

function firstScreen(page: Page): Promise<void> {
  return page
    .locator("coffer-document [data-name]", { hasText: /\.(txt|pdf)$/ })
    .first()
    .waitFor();
}

async function still(page: Page): Promise<void> {
  let last = performance.now();
  page.context().on("request", () => {
    last = performance.now();
  });
  while (performance.now() - last < STILL_MS) await page.waitForTimeout(200);
}

function longestTask(page: Page): Promise<number> {
  return page.evaluate(() => (globalThis as unknown as { longest: number }).longest);
}

/** Has page and vault let go what nobody uses any more: V8 does it when it needs the room, which no page can say. */
async function collectGarbage(page: Page): Promise<void> {
  for (const frame of page.frames()) {
    // A frame of the page's own process has no session of its own.
    const session = await page
      .context()
      .newCDPSession(frame)
      .catch(() => undefined);
    await session?.send("HeapProfiler.collectGarbage");
    await session?.detach();
  }
}

/** Memory of all processes that render, MiB: of each what is its own (PSS without files). Chromium has some for itself. */
async function memoryOfRenderers(browser: Browser): Promise<number> {
  const session = await browser.newBrowserCDPSession();
  const { processInfo } = await session.send("SystemInfo.getProcessInfo");
  await session.detach();
  const kilobytes = processInfo
    .filter(({ type }) => type === "renderer")
    .map(({ id }) =>
      Number(/^Pss_Anon: +(\d+) kB$/m.exec(readFileSync(`/proc/${id}/smaps_rollup`, "utf8"))?.[1]),
    );
  return kilobytes.reduce((all, each) => all + each, 0) / 1024;
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
  say(report, `seal-${SMALL_FILES}-small-files`, performance.now() - began, "ms");
  await context.close();
}
