/** What was sealed stays openable: over a reload of the page, and when everything is started again. */

import type { Page } from "playwright";
import { beforeAll, expect, it } from "vitest";
import { sealFile, showFile, signIn, useSystemAndBrowser } from "./index.ts";

const { system, browsing } = useSystemAndBrowser();
let page: Page;
let complaints: string[];

beforeAll(async () => {
  ({ page, complaints } = await browsing.open());
  await signIn(page, system, "Ada");
  await sealFile(page, "note.txt", "kept for later");
});

it("a document is sealed, listed and opened, without a complaint of the browser", async () => {
  expect(await showFile(page, "note.txt")).toBe("kept for later");
  expect(complaints).toEqual([]);
});

it("a reload keeps the sign-in, and documents open again", async () => {
  await page.reload();
  expect(
    await page
      .getByRole("button", { name: "Sign out" })
      .or(page.getByRole("button", { name: "Sign in" }))
      .textContent(),
  ).toBe("Sign out");
  expect(await showFile(page, "note.txt")).toBe("kept for later");
  expect(complaints).toEqual([]);
});

it("after everything was restarted, documents that were sealed before still open, and new ones can be sealed", async () => {
  await system.restart();
  await page.reload();
  expect(await showFile(page, "note.txt")).toBe("kept for later");
  await sealFile(page, "second.txt", "sealed afterwards");
  expect(await showFile(page, "second.txt")).toBe("sealed afterwards");
});

it("a browser that was never here, with the same user, enrols a microservice of its own and opens them too", async () => {
  const { page: elsewhere } = await browsing.open();
  await signIn(elsewhere, system, "Ada");
  expect(await showFile(elsewhere, "note.txt")).toBe("kept for later");
  await elsewhere.close();
});

it("another user sees none of them", async () => {
  const { page: other } = await browsing.open();
  await signIn(other, system, "Bob");
  const documents = other.getByRole("list", { name: "Documents" });
  await other.getByText("Nothing sealed yet").or(documents).filter({ visible: true }).first().waitFor();
  expect(await documents.count()).toBe(0);
  await other.close();
});
