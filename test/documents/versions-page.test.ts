/** Versions of a document on the page, in Chromium with all real parts, beside another device that works on the same document. */

import type { Page } from "playwright";
import { afterAll, beforeAll, expect, it } from "vitest";
import { openEnrolled, sealFile, showFile, useSystemAndBrowser } from "../system/index.ts";
import { bytesOf, connectNode } from "./node-client.ts";
import { shootViews } from "./screenshots.ts";

const { system, browsing } = useSystemAndBrowser();
type Client = Awaited<ReturnType<typeof connectNode>>;
let page: Page;
let node: Client;
let account: string;
const SOON = { timeout: 60_000 };
const button = (name: string) => page.getByRole("button", { name, exact: true });
const panel = () => page.getByRole("dialog", { name: "Versions" });
const rows = () => panel().getByRole("listitem").locator("code").allTextContents();
const listed = () =>
  page.getByRole("list", { name: "Documents", exact: true }).locator("[data-name]").allTextContents();

beforeAll(async () => {
  page = await openEnrolled({ system, browsing }, "Ada");
  node = await connectNode(system, "Ada");
  account = node.identity.accounts[0]!.id;
  await sealFile(page, "plan.txt", "one");
});
afterAll(() => void node?.close());

async function openPanel(): Promise<void> {
  await page.getByRole("checkbox", { name: "Select plan.txt" }).check();
  // What another device saves from now on is not in what the panel has read.
  const read = ["/documents", "/document-versions"].map((end) =>
    page.waitForResponse((response) => new URL(response.url()).pathname.endsWith(end)),
  );
  await button("Versions…").press("Enter");
  await panel().waitFor();
  await Promise.all(read);
}
async function save(content: string): Promise<void> {
  const choosing = page.waitForEvent("filechooser");
  await panel().getByRole("button", { name: "Save another version…" }).press("Enter");
  const file = { name: "other name.txt", mimeType: "text/plain", buffer: Buffer.from(content) };
  await (await choosing).setFiles(file);
}
const status = (words: string) =>
  page.getByText(words, { exact: true }).first().waitFor({ state: "attached" });
async function onNode(): Promise<string[]> {
  const [document] = await node.documents.list([account]);
  const versions = await node.versions.list(document!.id, { account });
  const contents = versions.map(async ({ id }) => (await node.documents.open(id, { account })).stream);
  return Promise.all(contents.map(async (stream) => new TextDecoder().decode(await bytesOf(await stream))));
}

it("saves another version under the document's name, and shows those before it", async () => {
  await openPanel();
  await expect.poll(rows, SOON).toEqual(["Version 1, the newest"]);
  await save("two");
  await status("plan.txt has another version.");
  expect(await listed()).toEqual(["plan.txt"]);
  await page.getByText("version 2").waitFor();
  expect(await showFile(page, "plan.txt")).toBe("two");
  expect(await onNode()).toEqual(["two", "one"]);
  await openPanel();
  await save("three");
  await page.getByText("version 3").waitFor();
  // After a reload it is the same.
  await page.reload();
  await page.getByText("version 3").waitFor(SOON);
  expect(await listed()).toEqual(["plan.txt"]);
  await openPanel();
  await expect.poll(rows, SOON).toEqual(["Version 3, the newest", "Version 2", "Version 1"]);
  await shootViews(page, "versions");
  await panel().getByRole("button", { name: "Open version 1" }).click();
  await page.locator("coffer-viewer").getByText("one", { exact: true }).waitFor();
  await page.locator("coffer-viewer").getByRole("button", { name: "Close" }).click();
});

it("makes an earlier version the newest, and takes that back by one press", async () => {
  await panel().getByRole("button", { name: "Make newest: version 1" }).press("Enter");
  await status("plan.txt is as it was in version 1.");
  expect(await showFile(page, "plan.txt")).toBe("one");
  await button("Undo").click();
  await status("plan.txt is as it was in version 3.");
  expect(await showFile(page, "plan.txt")).toBe("three");
  expect(await onNode()).toEqual(["three", "one", "three", "two", "one"]);
});

it("deletes an earlier version alone, when it was asked twice", async () => {
  await openPanel();
  await expect.poll(rows, SOON).toHaveLength(5);
  await panel().getByRole("button", { name: "Delete version 2" }).click();
  await page.getByRole("alertdialog").getByRole("button", { name: "Delete", exact: true }).click();
  await panel().getByText("Version 2 is deleted for good.").waitFor();
  expect(await rows()).not.toContain("Version 2");
  await panel().getByRole("button", { name: "Close" }).click();
  expect(await onNode()).toEqual(["three", "one", "three", "one"]);
});

it("says so where another device was sooner, shows what that has saved, and saves the own one after it", async () => {
  await openPanel();
  const [document] = await node.documents.list([account]);
  await node.versions.save(document!.id, new TextEncoder().encode("from afar"), { account });
  await save("mine");
  const refused = page.getByRole("list", { name: "In progress" }).getByRole("listitem");
  await refused.getByText("Another version was saved meanwhile").waitFor(SOON);
  // The same again would be refused again.
  expect(await refused.getByRole("button", { name: "Try again" }).count()).toBe(0);
  await refused.getByRole("button", { name: "Dismiss plan.txt" }).click();
  await expect.poll(listed, SOON).toEqual(["plan.txt"]);
  await page.getByText("version 6").waitFor(SOON);
  expect(await showFile(page, "plan.txt")).toBe("from afar");
  await openPanel();
  await save("mine");
  await page.getByText("version 7").waitFor(SOON);
  expect((await onNode()).slice(0, 2)).toEqual(["mine", "from afar"]);
});

it("saves over what the panel shows, though the list had an older version when it was opened", async () => {
  const [document] = await node.documents.list([account]);
  await node.versions.save(document!.id, new TextEncoder().encode("seen"), { account });
  await page.getByText("version 7").waitFor();
  await openPanel();
  await expect.poll(async () => (await rows())[0], SOON).toBe("Version 8, the newest");
  await save("after it");
  await expect.poll(() => page.getByText("version 9").count(), SOON).toBe(1);
  expect(await listed()).toEqual(["plan.txt"]);
  expect((await onNode()).slice(0, 2)).toEqual(["after it", "seen"]);
});

it("says of a version that is stored and in no index that it is not finished, and what was the newest stays until it is", async () => {
  await openPanel();
  await page.route("**/document-versions", (route) => route.abort());
  await save("cut off");
  await expect
    .poll(() => page.locator("[data-status]").textContent(), SOON)
    .toBe("plan.txt is stored, and not in the index of your documents yet: finish it in its row.");
  await page.unroute("**/document-versions");
  expect(await listed()).toEqual(["plan.txt", "plan.txt"]);
  const sound = (await node.documents.list([account])).filter(({ state }) => state === undefined);
  expect(sound.map(({ metadata }) => metadata?.series?.version)).toEqual([9]);
  await button("Finish plan.txt").click();
  await expect.poll(listed, SOON).toEqual(["plan.txt"]);
  await page.getByText("version 10").waitFor(SOON);
  expect((await onNode()).slice(0, 2)).toEqual(["cut off", "after it"]);
});

it("deletes no first version for a document of which another device has saved another", async () => {
  await sealFile(page, "first.txt", "of the first");
  const [document] = await node.documents.list([account]);
  await node.versions.save(document!.id, new TextEncoder().encode("of the second"), { account });
  await button("Delete first.txt").click();
  await page.getByRole("alertdialog").getByRole("button", { name: "Delete", exact: true }).click();
  await page.getByText("Another version was saved meanwhile").first().waitFor(SOON);
  await page.getByText("version 2").waitFor(SOON);
  expect(await onNode()).toEqual(["of the second", "of the first"]);
  await button("Delete first.txt").click();
  await page.getByRole("alertdialog").getByRole("button", { name: "Delete", exact: true }).click();
  await expect.poll(listed, SOON).toEqual(["plan.txt"]);
  await expect.poll(async () => (await node.documents.list([account])).length, SOON).toBe(1);
});

it("deletes the document with its versions, and brings all of them back", async () => {
  const before = await onNode();
  await button("Delete plan.txt").click();
  await page.getByRole("alertdialog").getByRole("button", { name: "Delete", exact: true }).click();
  await expect.poll(listed, SOON).toEqual([]);
  expect(await node.documents.list([account])).toEqual([]);
  await button("Undo").click();
  await expect.poll(listed, SOON).toEqual(["plan.txt"]);
  await expect.poll(onNode, SOON).toEqual(before);
});
