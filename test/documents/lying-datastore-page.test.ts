/**
 * What a person sees of a datastore that hides, swaps, duplicates, brings back or rolls back documents: in Chromium with all real parts, on a device that
 * has listed them before, whose vault has pinned the index, and on a new one.
 */

import type { Locator, Page, Route } from "playwright";
import { beforeAll, expect, it } from "vitest";
import { changeRows, openEnrolled, readRows, sealFile, useSystemAndBrowser } from "../system/index.ts";
import { violationsOf } from "./axe.ts";
import { readStored, replaceStored } from "./bucket.ts";

const { system, browsing } = useSystemAndBrowser();
const SOON = { timeout: 60_000 };
type Rows = { id: string }[];
type Listing = { documents: Rows };

let known: Page;
/** Ids by the names that they were sealed under. */
const ids = new Map<string, string>();
const idOf = (name: string) => ids.get(name) ?? "";

const listed = (page: Page, name: string) => page.getByRole("button", { name: `Open ${name}`, exact: true });
const rows = (page: Page) => page.getByRole("list", { name: "Documents" }).getByRole("listitem");
const rowOf = (page: Page, name: string) => page.locator(`coffer-document[data-document="${idOf(name)}"]`);
const wordsOf = (row: Locator) => row.locator("[data-name], [data-meta]").allTextContents();
const change = (table: string, sql: string) => changeRows(system.edgeDir, table, sql);

async function seal(name: string): Promise<void> {
  await sealFile(known, name, `${name}, whole`);
  const row = rows(known).filter({ hasText: name }).locator("coffer-document");
  ids.set(name, (await row.getAttribute("data-document")) ?? "");
}

/** The device that knows the list, loaded again, and a new one. */
async function both(
  look: (page: Page) => Promise<void>,
  lie?: (page: Page) => Promise<unknown>,
): Promise<void> {
  await known.unrouteAll({ behavior: "ignoreErrors" });
  await lie?.(known);
  await known.reload();
  await look(known);
  expect(await violationsOf(known)).toEqual([]);
  await known.unrouteAll({ behavior: "ignoreErrors" });
  const device = await openFresh(lie);
  await look(device);
  await device.context().close();
}

async function openFresh(lie?: (page: Page) => Promise<unknown>): Promise<Page> {
  const device = await openEnrolled({ system, browsing }, "Ada");
  if (lie) {
    await lie(device);
    await device.reload();
  }
  return device;
}

/** Pages of the list are other than they are. */
const listsAs = (change: (documents: Rows) => Rows) => (page: Page) =>
  page.route(/\/accounts\/[^/]+\/documents(\?.*)?$/, async (route: Route) => {
    if (route.request().method() !== "GET") return route.continue();
    const response = await route.fetch();
    const { documents, ...more } = (await response.json()) as Listing;
    await route.fulfill({ response, json: { ...more, documents: change(documents) } });
  });

beforeAll(async () => {
  known = await openEnrolled({ system, browsing }, "Ada");
  for (const name of ["plan.txt", "rent.txt", "deed.txt"]) await seal(name);
  // The vault has pinned what it has seen.
  await known.reload();
  await listed(known, "plan.txt").waitFor(SOON);
}, 120_000);

it("says in its place that a document is hidden, and no size that nobody knows", async () => {
  const [row] = readRows(system.edgeDir, "documents").filter(({ id }) => id === idOf("plan.txt"));
  const hide = (client: unknown) =>
    change("documents", `UPDATE documents SET client = '${client}' WHERE id = '${idOf("plan.txt")}'`);
  hide("hidden");
  await both(async (page) => {
    await expect
      .poll(() => wordsOf(rowOf(page, "plan.txt")), SOON)
      .toEqual([
        "Cannot be opened",
        "The server does not give this document any more, and nobody has deleted it. Tell your administrator.",
      ]);
    await listed(page, "rent.txt").waitFor();
  });
  hide(row!.client);
}, 180_000);

it("shows nothing of a document that stands in the place of another, and says so", async () => {
  const [one, two] = ["rent.txt", "deed.txt"].map(idOf) as [string, string];
  const [first, second] = [one, two].map((id) => readStored(system.edgeDir, id, "content")) as [
    Buffer,
    Buffer,
  ];
  replaceStored(system.edgeDir, one, "content", second);
  await both(async (page) => {
    await listed(page, "rent.txt").click(SOON);
    await expect
      .poll(() => page.getByRole("alert").allTextContents(), SOON)
      .toContainEqual(
        expect.stringContaining(
          "The document cannot be opened: it was changed or is incomplete. Tell your administrator.",
        ),
      );
    expect(await page.getByText("deed.txt, whole").count()).toBe(0);
  });
  replaceStored(system.edgeDir, one, "content", first);
}, 180_000);

it("does not take a document under another id for one more, and says what it is", async () => {
  const copy = crypto.randomUUID();
  ids.set("copy", copy);
  const twice = listsAs((documents) => [
    ...documents,
    ...documents.filter(({ id }) => id === idOf("rent.txt")).map((row) => ({ ...row, id: copy })),
  ]);
  const lie = async (page: Page) => {
    await twice(page);
    await page.route(`**/documents/${copy}/*`, (route) => {
      const what = new URL(route.request().url()).pathname.split("/").at(-1) as "content" | "metadata";
      const body = readStored(system.edgeDir, idOf("rent.txt"), what);
      return route.fulfill({ contentType: "application/octet-stream", body });
    });
  };
  await both(async (page) => {
    await expect
      .poll(() => wordsOf(rowOf(page, "copy")), SOON)
      .toEqual([
        "Cannot be opened",
        expect.stringContaining("The document cannot be opened: it was changed or is incomplete."),
      ]);
    await expect.poll(() => rows(page).filter({ hasText: "rent.txt" }).count()).toBe(1);
  }, lie);
}, 180_000);

it("says that the server still gives what was deleted, and opens none of it", async () => {
  let kept: Rows = [];
  const keep = listsAs((documents) => {
    kept = documents;
    return documents;
  });
  await keep(known);
  await known.reload();
  await listed(known, "deed.txt").waitFor(SOON);
  await expect.poll(() => kept.length).toBeGreaterThan(2);
  await known.unrouteAll({ behavior: "ignoreErrors" });
  await known.getByRole("button", { name: "Delete deed.txt" }).click();
  await known.getByRole("alertdialog").getByRole("button", { name: "Delete", exact: true }).click();
  await expect.poll(() => listed(known, "deed.txt").count(), SOON).toBe(0);
  const back = listsAs((documents) => [...documents, ...kept.filter(({ id }) => id === idOf("deed.txt"))]);
  await both(async (page) => {
    await expect
      .poll(() => wordsOf(rowOf(page, "deed.txt")).then(([, meta]) => meta), SOON)
      .toMatch(
        /^This document was deleted, and the server still gives it\. Delete it again, or tell your administrator\./,
      );
    expect(await rowOf(page, "deed.txt").locator("[data-open]").isDisabled()).toBe(true);
  }, back);
}, 180_000);

it("says that the list is an earlier one where this browser has seen a later one, which a new device cannot know", async () => {
  const tables = ["version_indexes", "document_versions", "version_buckets"];
  const before = tables.map((table) => ({ table, rows: readRows(system.edgeDir, table) }));
  await seal("undone.txt");
  await known.reload();
  await listed(known, "undone.txt").waitFor(SOON);
  for (const { table, rows } of before) {
    change(table, `DELETE FROM ${table}`);
    for (const row of rows) change(table, insertOf(table, row));
  }
  change("documents", `UPDATE documents SET client = 'undone' WHERE id = '${idOf("undone.txt")}'`);
  await known.reload();
  const notice = known.getByRole("alert").filter({ hasText: "something was undone on the server" });
  await expect.poll(() => notice.count(), SOON).toBe(1);
  expect(await notice.textContent()).toContain(
    "The list of your documents is an earlier one than this browser has seen: something was undone on the server. Tell your administrator.",
  );
  expect(await notice.textContent()).toContain("index-superseded");
  expect(await violationsOf(known)).toEqual([]);
  const fresh = await openFresh();
  await listed(fresh, "rent.txt").waitFor(SOON);
  expect(await fresh.getByText("undone.txt").count()).toBe(0);
  expect(await fresh.getByRole("alert").count()).toBe(0);
}, 180_000);

function insertOf(table: string, row: Record<string, unknown>): string {
  const literal = (value: unknown) =>
    value === null ? "NULL" : typeof value === "string" ? `'${value}'` : String(value);
  return `INSERT INTO ${table} (${Object.keys(row).join()}) VALUES (${Object.values(row).map(literal).join()})`;
}
