/** The version index behind the page in Chromium: what a reload asks for, and what a person sees of a datastore that hides a document. */

import type { Page } from "playwright";
import { beforeAll, expect, it } from "vitest";
import { changeRows, readRows, signIn, useSystemAndBrowser } from "../system/index.ts";

const { system, browsing } = useSystemAndBrowser();
let page: Page;
const asked: string[] = [];
const cursors = () =>
  asked
    .map((url) => new URL(url))
    .filter(({ pathname }) => pathname.endsWith("/document-versions"))
    .map(({ searchParams }) => Number(searchParams.get("after")));
const saveOf = (name: string) => page.getByRole("button", { name: `Save ${name}`, exact: true });

beforeAll(async () => {
  ({ page } = await browsing.open());
  page.on("request", (request) => request.method() === "GET" && asked.push(request.url()));
  await signIn(page, system, "Ada");
  const files = ["plan.txt", "rent.txt"].map((name) => ({
    name,
    mimeType: "text/plain",
    buffer: Buffer.from(name),
  }));
  await page.getByLabel("Files to seal").setInputFiles(files);
  for (const { name } of files) await saveOf(name).waitFor();
});

it("asks after a reload for what has changed since the one before, from what the vault has kept", async () => {
  // A row each, and the index founded.
  await expect.poll(() => readRows(system.edgeDir, "document_versions").length, { timeout: 60_000 }).toBe(2);
  const sequence = () => Number(readRows(system.edgeDir, "version_indexes")[0]?.sequence);
  // A reload may come before the vault has kept what the one before has read.
  const reloaded = async () => {
    asked.length = 0;
    await page.reload();
    for (const name of ["plan.txt", "rent.txt"]) await saveOf(name).waitFor();
    await expect.poll(cursors, { timeout: 60_000 }).not.toEqual([]);
    return cursors();
  };
  await expect.poll(reloaded, { timeout: 120_000, interval: 1000 }).toEqual([sequence()]);
});

it("says that the server does not give a document any more, until it does again", async () => {
  const [{ id, client }] = readRows(system.edgeDir, "documents") as [{ id: string; client: string }];
  const hide = (as: string) =>
    changeRows(system.edgeDir, "documents", `UPDATE documents SET client = '${as}' WHERE id = '${id}'`);
  expect(hide("hidden")).toBe(1);
  await page.reload();
  const words = page.getByText("nobody has deleted it");
  await words.waitFor({ timeout: 60_000 });
  expect(await words.count()).toBe(1);
  expect(hide(client)).toBe(1);
  await page.reload();
  for (const name of ["plan.txt", "rent.txt"]) await saveOf(name).waitFor();
  expect(await words.count()).toBe(0);
});

it("offers to finish what was cut off before its end, and lists it as any other then", async () => {
  const finish = page.getByRole("button", { name: "Finish late.txt" });
  const offered = () => expect.poll(() => finish.isVisible(), { timeout: 60_000 });
  await page.route("**/document-versions", (route) => route.abort());
  const file = { name: "late.txt", mimeType: "text/plain", buffer: Buffer.from("late") };
  await page.getByLabel("Files to seal").setInputFiles(file);
  await offered().toBe(true);
  await page.unroute("**/document-versions");
  await page.reload();
  await offered().toBe(true);
  expect(await page.getByText("Its sealing was cut off").count()).toBe(1);
  await finish.click();
  await offered().toBe(false);
  await saveOf("late.txt").waitFor();
  expect(await page.getByText("Its sealing was cut off").count()).toBe(0);
  await page.reload();
  await saveOf("late.txt").waitFor();
  await expect.poll(() => finish.count()).toBe(0);
});
