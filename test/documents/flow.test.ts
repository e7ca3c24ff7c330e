/** The views that explain, in Chromium with all real parts: what happened, held against what network and HSM have seen, and where keys are. */

import type { Locator, Page, Request } from "playwright";
import { expect, it } from "vitest";
import {
  kmsOperations,
  openEnrolled,
  operationsOf,
  sealFile,
  showFile,
  useSystemAndBrowser,
} from "../system/index.ts";
import { shootViews } from "./screenshots.ts";

const { system, browsing } = useSystemAndBrowser();

async function openPanel(page: Page, button: string, title: string): Promise<Locator> {
  await page.getByRole("button", { name: button, exact: true }).click();
  const panel = page.getByRole("dialog", { name: title });
  await panel.waitFor();
  return panel;
}

const openFlow = (page: Page) => openPanel(page, "Flow", "What happened");
const openLadder = (page: Page) => openPanel(page, "Key ladder", "Key ladder");

type Row = { who: string; what: string; meta: string; moved: string[] };

/** The steps of the list, as it is read out. */
async function rowsOf(panel: Locator): Promise<Row[]> {
  return panel
    .getByRole("list", { name: "Steps" })
    .getByRole("listitem")
    .evaluateAll((items) =>
      items.map((item) => ({
        who: item.querySelector("strong")?.textContent ?? "",
        what: item.querySelector("code")?.textContent ?? "",
        meta: item.querySelector(".meta")?.textContent ?? "",
        moved: [...item.querySelectorAll(".moved")].map((each) => each.textContent ?? ""),
      })),
    );
}

/** Requests of page and vault for data, as the view names them; sign-in and files of the page are none. */
function requestsOf(requests: readonly Request[]): string[] {
  return requests
    .filter((request) => request.resourceType() === "fetch")
    .map((request) => ({ method: request.method(), path: new URL(request.url()).pathname }))
    .filter(({ path }) => path !== "/token" && !path.includes("."))
    .map(({ method, path }) => `${method} ${path.replaceAll(/\/(?=[^/]*[\dA-Z])[^/]{12,}/g, "/…")}`);
}

/** Nothing is under way any more: what is had ahead has come, and nobody has asked for anything for a while. */
async function settle(page: Page): Promise<void> {
  let asked = 0;
  const count = (request: Request) => {
    if (request.resourceType() === "fetch") asked++;
  };
  page.context().on("request", count);
  for (let before = -1; before !== asked; ) {
    before = asked;
    await page.waitForTimeout(1500);
    await kmsOperations(system);
  }
  page.context().off("request", count);
}

it("shows of an opening every request, and every operation that the HSM has logged for it, and no other", async () => {
  const first = await openEnrolled({ system, browsing }, "Ada");
  await sealFile(first, "plan.txt", "the plan");
  await first.context().close();
  // In another browser the document's key has to come.
  const page = await openEnrolled({ system, browsing }, "Ada");
  await page.getByRole("button", { name: "Open plan.txt" }).waitFor();
  await settle(page);
  const requests: Request[] = [];
  page.context().on("request", (request) => requests.push(request));
  const before = (await kmsOperations(system)).length;
  expect(await showFile(page, "plan.txt")).toBe("the plan");
  const panel = await openFlow(page);
  await expect.poll(() => panel.getByText(/^\d+ steps in [\d.,]+ ms$/).count()).toBe(1);
  expect(await panel.getByRole("combobox", { name: "Operation" }).inputValue()).toMatch(/^Opening, /);
  const rows = await rowsOf(panel);

  const asked = rows.filter(({ who }) => / to Gateway$/.test(who)).map(({ what }) => what);
  expect(asked.toSorted()).toEqual(requestsOf(requests).toSorted());
  expect(asked).toContain("POST /kms/loads");
  const logged = (await kmsOperations(system)).slice(before);
  const told = rows.filter(({ who }) => who === "KMS to HSM").flatMap(({ what }) => operationsOf(what));
  expect(told).toEqual(logged);
  expect(logged).toEqual(expect.arrayContaining(["Import", "Get", "Destroy", "Sign"]));
  for (const { meta } of rows.filter(({ who }) => who === "KMS to HSM"))
    expect(meta).toMatch(/^KMIP over mutual TLS, [\d.,]+ ms$/);
  expect(rows.filter(({ who }) => who === "Page to Vault").map(({ what }) => what)).toEqual(
    expect.arrayContaining(["load", "open"]),
  );
  const moved = rows.flatMap((row) => row.moved);
  expect(moved).toHaveLength(1);
  expect(moved[0]).toMatch(
    /^Data key [\da-f]{8}\.1 came in by (RSA-OAEP|X25519 and ML-KEM-768) to the vault's .+\. At rest: AES Key Wrap under the account key\.$/,
  );
  await shootViews(page, "flow", { varies: true });
  await page.context().close();
});

it("follows what is done next, keeps earlier operations to look at, and forgets all of it at sign-out", async () => {
  const page = await openEnrolled({ system, browsing }, "Bob");
  const steps = () =>
    page
      .getByRole("list", { name: "Steps", includeHidden: true })
      .getByRole("listitem", { includeHidden: true });
  // Else it is under way together with the list's first reading.
  await settle(page);
  await sealFile(page, "one.txt", "one");
  await settle(page);
  let panel = await openFlow(page);
  await expect.poll(() => panel.getByRole("combobox").inputValue()).toMatch(/^Sealing, /);
  const sealing = await panel.getByRole("combobox").inputValue();
  const seals = (await rowsOf(panel)).map(({ what }) => what);
  expect(seals).toContain("seal");
  // By the keyboard alone: the list scrolls, the choice chooses.
  await page.keyboard.press("Escape");
  await showFile(page, "one.txt");
  panel = await openFlow(page);
  await expect.poll(() => panel.getByRole("combobox").inputValue()).toMatch(/^Opening, /);
  await panel.getByRole("combobox").selectOption(sealing);
  expect((await rowsOf(panel)).map(({ what }) => what)).toEqual(seals);
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByRole("button", { name: "Sign in" }).waitFor();
  await expect.poll(() => steps().count()).toBe(0);
  await page.context().close();
});

it("W7 shows which keys the vault holds and for how long still, and asks nobody but the vault for it", async () => {
  const page = await openEnrolled({ system, browsing }, "Carol");
  await sealFile(page, "note.txt", "note");
  await settle(page);
  const requests: Request[] = [];
  page.context().on("request", (request) => requests.push(request));
  const before = (await kmsOperations(system)).length;
  const panel = await openLadder(page);
  const keys = panel.getByRole("list", { name: "Data keys in this vault" }).getByRole("listitem");
  await expect.poll(() => keys.count()).toBeGreaterThan(0);
  const left = async () => {
    const [, minutes = "0", seconds = "0"] =
      /(\d+):(\d\d) left/.exec((await keys.first().textContent()) ?? "") ?? [];
    return Number(minutes) * 60 + Number(seconds);
  };
  const first = await left();
  // Ten minutes after its last use.
  expect(first).toBeGreaterThan(0);
  expect(first).toBeLessThanOrEqual(600);
  await expect.poll(left, { timeout: 15_000 }).toBeLessThan(first);
  expect(await keys.first().textContent()).toMatch(/Came in by .+ At rest: .+/);
  await shootViews(page, "key-ladder", { varies: true });
  // Looking is free: no request, no operation of the HSM, and no key kept for longer.
  expect(requestsOf(requests)).toEqual([]);
  expect((await kmsOperations(system)).length).toBe(before);
  await panel.getByRole("button", { name: "Drop keys now" }).click();
  await expect.poll(() => keys.count()).toBe(0);
  await panel.getByText("This vault holds no key now.").waitFor();
  expect(await panel.getByRole("status").textContent()).toBe("The keys are dropped.");
  await page.keyboard.press("Escape");
  expect(await showFile(page, "note.txt")).toBe("note");
  await openLadder(page);
  await expect.poll(() => keys.count()).toBeGreaterThan(0);
  await page.context().close();
});
