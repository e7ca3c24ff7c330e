/** Chromium with the document page, driven by roles and labels as a person would. */

import type { Browser, BrowserContext, Locator, Page } from "playwright";
import { expect } from "vitest";
import type { Cdp } from "../chromium/cdp.ts";
import { launchChromium, type Recorder, recordSubtleCrypto } from "../chromium/index.ts";
import type { System } from "../support/start.ts";

export type Browsing = {
  browser: Browser;
  cdp: Cdp;
  /** Records from the start when asked to. */
  recorder: Recorder | undefined;
  /** A page in a profile of its own, and what it complained of. */
  open(): Promise<{ page: Page; context: BrowserContext; complaints: string[] }>;
  close(): Promise<void>;
};

/** `lacking`: where it records, methods of SubtleCrypto that the engine is not to have. */
export async function openBrowser({
  record = false,
  lacking = [],
}: {
  record?: boolean;
  lacking?: readonly string[];
} = {}): Promise<Browsing> {
  const { browser, cdp, close } = await launchChromium();
  const recorder = record ? await recordSubtleCrypto(cdp, lacking) : undefined;
  return {
    browser,
    cdp,
    recorder,
    async open() {
      const context = await browser.newContext();
      const page = await context.newPage();
      const complaints: string[] = [];
      page.on("pageerror", (error) => complaints.push(String(error)));
      page.on("console", (message) => {
        if (message.type() === "error") complaints.push(message.text());
      });
      return { page, context, complaints };
    },
    close,
  };
}

/** Signs in: by a yes at the vault where the browser is signed in there by this name, else by the provider; and comes back to the page. */
export async function signIn(
  page: Page,
  system: Pick<System, "appOrigin" | "vaultOrigin">,
  name: string,
): Promise<void> {
  await page.goto(`${system.appOrigin}/`);
  await page.getByRole("button", { name: "Sign in" }).click();
  const field = page.getByLabel("Your name");
  const known = page.getByRole("button", { name: "Continue as" });
  await field.or(known).waitFor();
  const same = page.getByRole("button", { name: `Continue as ${name}` });
  if (!(await same.isVisible())) {
    if (await known.isVisible()) await page.getByRole("link", { name: "Use another name" }).click();
    await typeName(page, name, new URL(system.vaultOrigin).hostname);
  }
  expect(new URL(page.url()).origin).toBe(system.vaultOrigin);
  await same.click();
  await expectToAppear(page, page.getByRole("button", { name: "Sign out" }), `${name} signed in`);
  expect(new URL(page.url()).origin).toBe(system.appOrigin);
}

/** Types a name at the provider, which is on another site than the vault, and waits until that asks whether to go on. */
export async function typeName(page: Page, name: string, vault = "localhost"): Promise<void> {
  const field = page.getByLabel("Your name");
  await field.waitFor();
  expect(new URL(page.url()).hostname).toBe(vault === "localhost" ? "127.0.0.1" : "localhost");
  await field.fill(name);
  await page.getByRole("button", { name: "Sign in" }).click();
  // In the reader's language.
  const english = page.getByRole("button", { name: `Continue as ${name}` });
  const known = english.or(page.getByRole("button", { name: `Weiter als ${name}` }));
  await expectToAppear(page, known, `${name} back at the vault, and asked`);
}

/** A page in a profile of its own, signed in, whose own microservice is enrolled: tests count from there. */
export async function openEnrolled(
  { system, browsing }: { system: System; browsing: Browsing },
  name: string,
): Promise<Page> {
  const { page } = await browsing.open();
  await signIn(page, system, name);
  await untilEnrolled(page);
  return page;
}

/** Waits until the page's own microservice, which it starts by itself, is enrolled. */
export async function untilEnrolled(page: Page): Promise<void> {
  await page.locator('[data-link="vault"][data-phase="ready"]').first().waitFor();
}

/** Seals a file by the page's own input, and waits until it stands in the list. */
export async function sealFile(page: Page, name: string, content: Uint8Array | string): Promise<void> {
  const mimeType = name.endsWith(".txt") ? "text/plain" : "application/octet-stream";
  await page.getByLabel("Files to seal").setInputFiles({ name, mimeType, buffer: Buffer.from(content) });
  await expectToAppear(page, documentRow(page, name), `${name} in the list, sealed`);
}

/** Opens a sealed text from the list and answers what the viewer shows. */
export async function showFile(page: Page, name: string): Promise<string> {
  const open = documentRow(page, name).getByRole("button", { name: `Open ${name}` });
  await expectToAppear(page, open, `${name} in the list, with its name opened`);
  await open.click();
  const text = page.getByRole("dialog").locator("pre");
  await expectToAppear(page, text, `${name} opened`);
  const shown = (await text.textContent()) ?? "";
  await page.getByRole("dialog").getByRole("button", { name: "Close" }).click();
  await text.waitFor({ state: "detached" });
  return shown;
}

/** Fails with what the page says instead. */
async function expectToAppear(page: Page, wanted: Locator, what: string): Promise<void> {
  const appeared = await wanted.waitFor({ timeout: 20_000 }).then(
    () => true,
    () => false,
  );
  const alerts = appeared ? [] : await page.getByRole("alert").allTextContents();
  expect(appeared, `${what} (the page says: ${alerts.join("; ") || "nothing"})`).toBe(true);
}

function documentRow(page: Page, name: string): Locator {
  return page.getByRole("list", { name: "Documents" }).getByRole("listitem").filter({ hasText: name });
}
