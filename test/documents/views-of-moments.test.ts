/** Views that are there for a moment, or beside the list, and those of the vault: as `views.test.ts` holds the others. */

import type { Page } from "playwright";
import { expect, it } from "vitest";
import {
  changeRows,
  openEnrolled,
  sealFile,
  typeName,
  untilEnrolled,
  useSystemAndBrowser,
} from "../system/index.ts";
import { writePng } from "./png.ts";
import { shootViews } from "./screenshots.ts";
import { drop } from "./waiting.ts";
import { webm } from "./webm.ts";

/** Pictures take their time on a slow machine. */
const PATIENCE = 300_000;
const SOON = { timeout: 60_000 };

const { system, browsing } = useSystemAndBrowser();

const button = (page: Page, name: string) => page.getByRole("button", { name, exact: true });
const seal = async (page: Page, name: string, mimeType: string, buffer: Buffer) => {
  await page.getByLabel("Files to seal").setInputFiles({ name, mimeType, buffer });
  await button(page, `Open ${name}`).waitFor(SOON);
};

async function accountOf(name: string): Promise<string> {
  const page = await openEnrolled({ system, browsing }, name);
  await button(page, "Sharing").click();
  const id = await page.locator("coffer-sharing [data-own]").filter({ hasText: /./ }).textContent();
  await page.context().close();
  return id ?? "";
}

/** A sky over a field. */
function photo(): Buffer {
  const [width, height] = [320, 200];
  const rgb = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const above = y < 120;
      rgb.set(above ? [150 + y / 2, 190 + y / 3, 230] : [90, 130 - (y - 120) / 2, 60], (y * width + x) * 3);
    }
  return Buffer.from(writePng({ width, height, rgb }));
}

it(
  "has the vault's pages hold their layout: who signs in, what goes wrong there, and the account",
  async () => {
    const { page, context } = await browsing.open();
    await page.goto(`${system.appOrigin}/`);
    await page.getByRole("button", { name: "Sign in" }).click();
    await typeName(page, "Ada", new URL(system.vaultOrigin).hostname);
    await page.getByText("You can answer now.").waitFor();
    await shootViews(page, "vault-question");
    await page.getByRole("button", { name: "Continue as Ada" }).click();
    await page.getByRole("button", { name: "Sign out" }).waitFor();
    await untilEnrolled(page);
    await page.goto(`${system.vaultOrigin}/account`);
    await page.getByText("You can answer now.").waitFor();
    await shootViews(page, "vault-account");
    await page.goto(`${system.vaultOrigin}/authorize?client_id=nobody&redirect_uri=https://nobody.example/`);
    await page.getByRole("heading", { name: "This app is not known here" }).waitFor();
    await shootViews(page, "vault-unknown");
    await context.close();

    const german = await browsing.browser.newContext({ locale: "de" });
    const leser = await german.newPage();
    await leser.goto(`${system.vaultOrigin}/account`);
    await leser.getByRole("heading", { name: "Sie sind abgemeldet" }).waitFor();
    await shootViews(leser, "vault-signed-out-german");
    await german.close();
  },
  PATIENCE,
);

it(
  "has what is there for a moment hold its layout: whom it is shared with, a name, pictures, and what is dropped",
  async () => {
    const page = await openEnrolled({ system, browsing }, "Ada");
    const beas = await accountOf("Bea");
    await seal(page, "holiday.png", "image/png", photo());
    await seal(page, "film.webm", "video/webm", Buffer.from(await webm(page, 4, 1 << 10)));
    for (const name of ["plan.txt", "lease.txt"]) await sealFile(page, name, `the contents of ${name}`);

    await page.getByRole("checkbox", { name: "Select plan.txt" }).check();
    await page.getByRole("checkbox", { name: "Select lease.txt" }).check();
    await button(page, "Share…").click();
    const panel = page.getByRole("dialog", { name: "Sharing" });
    await panel.getByText("No document of this account is shared.").waitFor();
    await shootViews(page, "share-several");
    await panel.getByLabel("Id of the account that may open it").fill(beas);
    await page.keyboard.press("Enter");
    await expect.poll(() => page.locator("[data-shared]:visible").count(), SOON).toBe(2);
    // What was said of it is gone from the screen's place for it.
    await shootViews(page, "shared");

    await page.getByRole("checkbox", { name: "Select plan.txt" }).check();
    await button(page, "Rename…").click();
    await page.getByRole("dialog", { name: "Another name" }).waitFor();
    await shootViews(page, "rename");
    await page.keyboard.press("Escape");
    await button(page, "Clear").click();
    await button(page, "Open holiday.png").click();
    await page.getByRole("dialog").locator("img").waitFor();
    await shootViews(page, "image");
    await page.keyboard.press("Escape");
    await button(page, "Open film.webm").click();
    const video = page.getByRole("dialog").locator("video");
    await expect
      .poll(() => video.evaluate((player) => (player as HTMLVideoElement).readyState), SOON)
      .toBeGreaterThan(1);
    // Its controls are the browser's, with the system's letters.
    await shootViews(page, "video", { varies: true });
    await page.keyboard.press("Escape");

    const data = await page.evaluateHandle(() => {
      const transfer = new DataTransfer();
      transfer.items.add(new File(["x"], "x.txt"));
      return transfer;
    });
    await page.dispatchEvent("main", "dragenter", { dataTransfer: data });
    await page.getByText("Drop to seal").waitFor();
    await shootViews(page, "drop");
    await page.context().close();
  },
  PATIENCE,
);

it(
  "has transfers, what fails, what is hidden, and the lock hold their layout",
  async () => {
    const page = await openEnrolled({ system, browsing }, "Cem");
    const beas = await accountOf("Bea");
    for (const name of ["plan.txt", "lease.txt", "deed.txt"])
      await sealFile(page, name, `the contents of ${name}`);
    // Nothing of these moves.
    const gate = Promise.withResolvers<void>();
    await page.context().route(/\/parts\/\d+$/, async (route) => {
      await gate.promise;
      await route.abort().catch(() => {});
    });
    const films = ["first film.bin", "second film.bin", "third film.bin"];
    await drop(page, ...films.map((name) => ({ name, bytes: 40 << 20 })));
    const rows = page.getByRole("list", { name: "In progress" }).getByRole("listitem");
    await expect.poll(() => rows.count(), SOON).toBe(4);
    for (const name of films) await button(page, `Pause ${name}`).waitFor(SOON);
    await shootViews(page, "transfers", { varies: true });
    for (const name of films.slice(1)) await button(page, `Cancel ${name}`).click();
    await button(page, `Pause ${films[0]}`).click();
    await page.getByText("Paused. What was sent is kept for a day.").waitFor();
    await shootViews(page, "paused");
    await button(page, `Remove ${films[0]}`).click();
    gate.resolve();

    const another = await openEnrolled({ system, browsing }, "Cem");
    await button(another, "Delete lease.txt").click();
    await another.getByRole("alertdialog").getByRole("button", { name: "Delete", exact: true }).click();
    await expect
      .poll(() => another.locator("coffer-app > [data-status]").textContent())
      .toContain("is deleted");
    await another.context().close();
    await page.getByRole("checkbox", { name: "Select plan.txt" }).check();
    await page.getByRole("checkbox", { name: "Select lease.txt" }).check();
    await button(page, "Share…").click();
    const panel = page.getByRole("dialog", { name: "Sharing" });
    await panel.getByLabel("Id of the account that may open it").fill(beas);
    await page.keyboard.press("Enter");
    await rows.filter({ hasText: "2 documents" }).getByRole("alert").waitFor(SOON);
    await shootViews(page, "not-shared");
    await button(page, "Dismiss 2 documents").click();

    const id = await page.locator("coffer-document", { hasText: "deed.txt" }).getAttribute("data-document");
    changeRows(system.edgeDir, "documents", `UPDATE documents SET client = 'hidden' WHERE id = '${id}'`);
    await page.reload();
    await page.getByText("nobody has deleted it").waitFor(SOON);
    await button(page, "Open plan.txt").waitFor(SOON);
    await shootViews(page, "hidden");

    await page.context().setOffline(true);
    await button(page, "Open plan.txt").click();
    await page.locator("coffer-notice").waitFor(SOON);
    await shootViews(page, "notice");
    await page.context().setOffline(false);

    await button(page, "Lock").click();
    await page.getByRole("heading", { name: "Locked" }).waitFor(SOON);
    await shootViews(page, "locked");
    await page.context().close();
  },
  PATIENCE,
);
