/** The emulator's page of faults in Chromium: by keyboard, by axe-core, against pages of other origins, and what the browser's own enrolments meet. */

import type { Page } from "playwright";
import { beforeAll, beforeEach, expect, it } from "vitest";
import { openEnrolled, readRows, useSystemAndBrowser } from "../system/index.ts";
import { addPasskey, authenticator, openVaults, said } from "./authenticator.ts";
import { violationsAtAll } from "./axe.ts";

const { system, browsing } = useSystemAndBrowser();
let page: Page;
let complaints: string[];
const faults = () => system.running.faults!;
beforeAll(async () => {
  ({ page, complaints } = await browsing.open());
});
beforeEach(() => faults().turn(null));

const audited = (reason: string) =>
  expect.poll(() => readRows(system.edgeDir, "links").some(({ entry }) => String(entry).includes(reason)), {
    timeout: 10_000,
  });

it("a fault is turned on and off by the keyboard, and the page says which is on", async () => {
  await page.goto(faults().origin);
  const status = page.getByRole("status");
  expect(await status.textContent()).toContain("No fault is on");
  const button = page
    .getByRole("region", { name: "Evidence: an EAT" })
    .getByRole("button", { name: "nonce-wrong" });
  await button.focus();
  await page.keyboard.press("Enter");
  await status.getByText("nonce-wrong").waitFor();
  expect(faults().on()).toEqual({ group: "eat", name: "nonce-wrong" });
  expect(await button.getAttribute("aria-pressed")).toBe("true");
  await button.focus();
  await page.keyboard.press("Space");
  await status.getByText("No fault is on").waitFor();
  await page.getByRole("button", { name: "verifier-slow" }).click();
  await status.getByRole("button", { name: "Turn it off" }).click();
  await status.getByText("No fault is on").waitFor();
  expect(faults().on()).toBeNull();
  expect(complaints).toEqual([]);
});

it("the page is good by axe-core, in both themes, and fits a phone", async () => {
  faults().turn("nitro/root-of-an-attacker-inside");
  await page.goto(faults().origin);
  expect(await violationsAtAll(page, "faults")).toEqual([]);
  await page.setViewportSize({ width: 320, height: 700 });
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(320);
  await page.setViewportSize({ width: 1280, height: 720 });
});

it("Promise 5: a page of another origin, the app's own included, turns no fault on", async () => {
  const { page: other } = await browsing.open();
  const to = faults().origin;
  for (const at of [system.appOrigin, system.running.provider!.issuer]) {
    // As an attacker serves it: no content security policy forbids the page anything.
    const body = `<!doctype html><title>attack</title><form method="post" action="${to}/">
      <button name="fault" value="eat/nonce-wrong">Go</button></form>`;
    await other.route(`${at}/attack`, (route) => route.fulfill({ contentType: "text/html", body }));
    await other.goto(`${at}/attack`);
    await other.getByRole("button", { name: "Go" }).click();
    await other.waitForURL(`${to}/**`);
    expect(faults().on(), at).toBeNull();
    expect(await other.getByRole("heading").textContent()).toBe("Not accepted");
  }
  await other.close();
});

it("M3 M20 the browser's next enrolment meets the fault, and the one after it is good", async () => {
  const app = await openEnrolled({ system, browsing }, "Ada");
  const panel = await openVaults(app);
  const renew = panel.getByRole("button", { name: "Renew", exact: true });
  faults().turn("service/credential-spent");
  await renew.click();
  await audited("grant unknown or already used").toBe(true);
  await expect.poll(() => said(panel), { timeout: 20_000 }).toContain("could not be enrolled");
  faults().turn(null);
  await renew.click();
  await expect.poll(() => said(panel), { timeout: 20_000 }).toContain("the ones before are revoked");
});

it("M1 M20 so does a passkey's evidence, whose enrolment is refused at the real verifier", async () => {
  const app = await openEnrolled({ system, browsing }, "Bea");
  await authenticator(app);
  const panel = await openVaults(app);
  await addPasskey(app).click();
  await expect.poll(() => said(panel), { timeout: 20_000 }).toContain("The passkey is added.");
  const tier = () => panel.getByRole("region", { name: "In this browser" }).textContent();
  faults().turn("service/result-wrongly-signed");
  await panel.getByRole("button", { name: "Renew with a passkey" }).click();
  await audited("verifier: signature does not verify").toBe(true);
  expect(await tier()).not.toMatch(/Tieremulated platform/);
  faults().turn(null);
});
