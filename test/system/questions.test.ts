/** The vault's pages in a browser: no press counts that a person did not mean for them. */

import type { BrowserContext, Page } from "playwright";
import { afterEach, beforeAll, expect, it } from "vitest";
import { openEnrolled, readRows, useSystemAndBrowser } from "./index.ts";

const running = useSystemAndBrowser();
const { system } = running;
let context: BrowserContext;
let app: Page;

beforeAll(async () => {
  app = await openEnrolled(running, "Ada");
  context = app.context();
});
afterEach(async () => {
  for (const page of context.pages()) if (page !== app) await page.close();
});

/** Codes that were issued, to whatever key. */
const codes = () => readRows(system.edgeDir, "codes").length;
const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));
const button = (page: Page) => page.getByRole("button", { name: "Continue as Ada" });

/** What a script in the app's page can do: open the vault's question for a key of its own, in a window as it likes. */
async function opened(features: string): Promise<Page> {
  const url = new URL("/authorize", system.vaultOrigin);
  url.search = new URLSearchParams({
    response_type: "code",
    client_id: system.appOrigin,
    redirect_uri: `${system.appOrigin}/`,
    state: "s".repeat(43),
    code_challenge: "c".repeat(43),
    code_challenge_method: "S256",
    dpop_jkt: "j".repeat(43),
  }).toString();
  const window = context.waitForEvent("page");
  await app.evaluate(([url, features]) => void open(url, "_blank", features), [url.href, features] as const);
  const page = await window;
  await page.waitForURL(/\/authorize/, { waitUntil: "commit" });
  return page;
}

it.each([
  ["a window of one pixel", "popup,width=1,height=1"],
  ["a window of usual size", "popup,width=800,height=600"],
])("Enter that is pressed again and again, or held down, in %s gets no code", async (_, features) => {
  const before = codes();
  const page = await opened(features);
  for (const end = Date.now() + 3000; Date.now() < end; await pause(150)) await page.keyboard.press("Enter");
  for (const end = Date.now() + 3000; Date.now() < end; await pause(100)) await page.keyboard.down("Enter");
  await page.keyboard.up("Enter");
  expect(await button(page).isDisabled()).toBe(true);
  await pause(2000);
  // It has not the focus: a key that is pressed now is for nothing in particular.
  for (let again = 0; again < 5; again++) await page.keyboard.press("Enter");
  expect(new URL(page.url()).origin).toBe(system.vaultOrigin);
  expect(codes()).toBe(before);
});

it("a window in which nobody can read gets no answer, however long it is there", async () => {
  const before = codes();
  const page = await opened("popup,width=800,height=600");
  await page.setViewportSize({ width: 120, height: 60 });
  await page.getByText("Make this window larger").waitFor();
  await pause(2000);
  expect(await button(page).isDisabled()).toBe(true);
  await page.setViewportSize({ width: 800, height: 600 });
  await page.getByText("You can answer now").waitFor();
  expect(codes()).toBe(before);
});

it("clicks that were under way, and the second one of a double click, count for nothing", async () => {
  const before = codes();
  const page = await opened("popup,width=800,height=600");
  const { x, y, width, height } = (await button(page).boundingBox())!;
  const [left, top] = [x + width / 2, y + height / 2];
  for (const end = Date.now() + 3000; Date.now() < end; await pause(120)) await page.mouse.click(left, top);
  expect(codes()).toBe(before);
  expect(new URL(page.url()).origin).toBe(system.vaultOrigin);
  await page.getByText("You can answer now").waitFor();
  await page.mouse.dblclick(left, top);
  await page.waitForURL(`${system.appOrigin}/**`);
  expect(codes()).toBe(before + 1);
});

it("a person with a keyboard alone answers, and is told when", async () => {
  const before = codes();
  const page = await opened("popup,width=800,height=600");
  const said = page.getByRole("status");
  await expect.poll(() => said.textContent()).toBe("You can answer now.");
  await page.keyboard.press("Tab");
  expect(await button(page).evaluate((element) => element === document.activeElement)).toBe(true);
  await page.keyboard.press("Enter");
  await page.waitForURL(`${system.appOrigin}/**`);
  expect(codes()).toBe(before + 1);
});

it("Escape and Cancel give the app nothing, at once", async () => {
  const before = codes();
  for (const decline of [
    (page: Page) => page.keyboard.press("Escape"),
    (page: Page) => page.getByRole("link", { name: "Cancel" }).click(),
  ]) {
    const page = await opened("popup,width=800,height=600");
    await page.getByRole("link", { name: "Cancel" }).waitFor();
    // A key is for the page's script, which is there by then.
    await page.waitForLoadState("load");
    await decline(page);
    await page.waitForURL(`${system.appOrigin}/**`);
  }
  expect(codes()).toBe(before);
});

it("without the vault's script the button cannot be pressed at all", async () => {
  await context.route("**/page.js", (route) => route.abort());
  const page = await opened("popup,width=800,height=600");
  await pause(2500);
  expect(await button(page).isDisabled()).toBe(true);
  await context.unroute("**/page.js");
});

it("the vault's frame has nothing to press, and its pages are in no frame", async () => {
  const frame = app.frames().find((candidate) => candidate.url().startsWith(system.vaultOrigin))!;
  const controls =
    "a, button, input, select, textarea, form, summary, [tabindex], [onclick], [contenteditable]";
  expect(await frame.locator(controls).count()).toBe(0);
  const shown = await app.evaluate(async (vault) => {
    const framed = [];
    for (const path of ["/authorize", "/account"]) {
      const frame = document.createElement("iframe");
      frame.src = vault + path;
      const loaded = new Promise((resolve) => frame.addEventListener("load", resolve, { once: true }));
      document.body.append(frame);
      await loaded;
      framed.push(frame.contentDocument === null);
      frame.remove();
    }
    return framed;
  }, system.vaultOrigin);
  // An error page of the browser itself: of no origin, and with nothing of the vault in it.
  expect(shown).toEqual([true, true]);
});

it("the second click of a double click on Delete is not the answer to the page's own question", async () => {
  const file = { name: "keep.txt", mimeType: "text/plain", buffer: Buffer.from("kept") };
  await app.getByLabel("Files to seal").setInputFiles(file);
  const row = app
    .getByRole("list", { name: "Documents" })
    .getByRole("listitem")
    .filter({ hasText: "keep.txt" });
  await row.getByRole("button", { name: /Delete/ }).click();
  const yes = app.getByRole("alertdialog").getByRole("button", { name: "Delete" });
  const { x, y } = (await yes.boundingBox())!;
  await app.keyboard.press("Escape");
  await row.getByRole("button", { name: /Delete/ }).click();
  await app.mouse.click(x + 5, y + 5);
  expect(await app.getByRole("alertdialog").isVisible()).toBe(true);
  await yes.click();
  await row.waitFor({ state: "detached" });
});
