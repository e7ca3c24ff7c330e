import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Page } from "playwright";
import { root } from "#test/support/tree.ts";
import { type Browsing, untilEnrolled } from "#test/system/index.ts";
import { type Checkout, checkOut } from "../load/checkout.ts";
import { type Deployment, deploy } from "../load/deployment.ts";
import { median, progress, type Report } from "../row.ts";

/** Each is measured so often, in turns with the same of the other checkout; the median counts. */
const TURNS = 3;
const PATIENCE_MS = 180_000;

type Side = { checkout: Checkout; deployment: Deployment; dir: string };
type Times = { seal: number; reload: number };

/** Many small files sealed at once, and the page loaded again until all names stand there, beside another commit or the checkout in a folder. */
export async function besideAnother(
  report: Report,
  { browsing, files, against }: { browsing: Browsing; files: number; against: string },
): Promise<void> {
  const checkouts: Checkout[] = [{ name: "this", dir: root, remove() {} }];
  const sides: Side[] = [];
  try {
    checkouts.push(checkOut(against));
    for (const checkout of checkouts) {
      const dir = mkdtempSync(join(tmpdir(), "coffer-page-"));
      sides.push({ checkout, dir, deployment: await deploy(checkout.dir, dir, { counted: false }) });
    }
    const times: Times[][] = sides.map(() => []);
    for (let turn = 1; turn <= TURNS; turn++)
      for (const [at, { checkout, deployment }] of sides.entries()) {
        const took = await measured(browsing, deployment, { files, user: `Ada ${turn}` });
        progress(
          `${checkout.name}: sealed in ${Math.round(took.seal)} ms, loaded again in ${Math.round(took.reload)} ms`,
        );
        times[at]?.push(took);
      }
    for (const what of ["seal", "reload"] as const) {
      const [own = 0, other = 0] = times.map((each) => median(each.map((one) => one[what])));
      const versus = checkouts[1]?.name ?? against;
      report({ id: `page/${what}-${files}-beside`, value: own, unit: "ms", versus, ratio: own / other });
    }
  } finally {
    for (const { deployment, dir } of sides) {
      await deployment.close();
      rmSync(dir, { recursive: true, force: true });
    }
    for (const checkout of checkouts) checkout.remove();
  }
}

async function measured(
  browsing: Browsing,
  { appOrigin }: Deployment,
  { files, user }: { files: number; user: string },
): Promise<Times> {
  const { page, context } = await browsing.open();
  await signIn(page, appOrigin, user);
  await untilEnrolled(page);
  const chosen = Array.from({ length: files }, (_, at) => ({
    ...{ name: `note ${at}.txt`, mimeType: "text/plain", buffer: Buffer.from(`note ${at}`) },
  }));
  const began = performance.now();
  await page.getByLabel("Files to seal").setInputFiles(chosen);
  await named(page, files);
  const seal = performance.now() - began;
  const reloaded = performance.now();
  await page.reload({ waitUntil: "commit" });
  await named(page, files);
  const reload = performance.now() - reloaded;
  await context.close();
  return { seal, reload };
}

/** By the provider of development, or at the vault itself, where an earlier page asked for the name. */
async function signIn(page: Page, appOrigin: string, user: string): Promise<void> {
  await page.goto(`${appOrigin}/`);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByLabel("Your name").fill(user);
  await page.getByRole("button", { name: "Sign in" }).click();
  const known = page.getByRole("button", { name: `Continue as ${user}` });
  const out = page.getByRole("button", { name: "Sign out" });
  await known.or(out).waitFor();
  if (await known.isVisible()) await known.click();
  await out.waitFor();
}

/** Until all names stand in the list: as the page counts them, or an earlier one drew them. */
async function named(page: Page, count: number): Promise<void> {
  await page.waitForFunction(
    (wanted) => {
      const told = document.querySelector<HTMLElement>("[data-count]")?.dataset.named;
      const drawn = () =>
        [...document.querySelectorAll("[data-documents] [data-name]")].filter((name) =>
          name.textContent?.endsWith(".txt"),
        ).length;
      return (told === undefined ? drawn() : Number(told)) === wanted;
    },
    count,
    { timeout: PATIENCE_MS, polling: 50 },
  );
}
