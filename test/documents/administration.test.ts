/** Roles, groups, vaults and keys of others and quotas of a tenant on the page, in Chromium with all real parts. */

import type { Locator, Page } from "playwright";
import { expect, it } from "vitest";
import { jwsParts } from "#protocol/jws.ts";
import type { Edk } from "#protocol/keys/index.ts";
import { EdgeClient } from "../support/edge-client.ts";
import { json, problem } from "../support/http.ts";
import { instanceOf } from "../support/instance.ts";
import { openEnrolled, useSystemAndBrowser } from "../system/index.ts";

const { system, browsing } = useSystemAndBrowser({ admins: ["Ada"] });
const SCREENSHOTS = process.env.COFFER_SCREENSHOTS;

const said = (panel: Locator) => panel.getByRole("status").textContent();
async function openAdministration(page: Page): Promise<Locator> {
  await page.getByRole("button", { name: "Administration", exact: true }).click();
  const panel = page.getByRole("dialog", { name: "Administration" });
  await panel.waitFor();
  return panel;
}

/** All that is said in the panel from now on. */
async function listen(panel: Locator): Promise<() => Promise<string[]>> {
  const heard = await panel.locator("[data-said]").evaluateHandle((status) => {
    const words: string[] = [];
    const watch = new MutationObserver(() => words.push(status.textContent ?? ""));
    watch.observe(status, { childList: true });
    return words;
  });
  return () => heard.jsonValue();
}

it("M12 an admin gives and takes roles and fills groups on the page, which holds from the next request on", async () => {
  const page = await openEnrolled({ system, browsing }, "Ada");
  const bea = await EdgeClient.signedIn(system, "Bea");
  const user = bea.tokens.user.id;
  const standing = async () =>
    json<{ roles: string[]; groups: string[] }>(await bea.rest("GET", "/standing"));
  expect(problem(await bea.rest("GET", "/audit"))).toBe("403 forbidden");

  const panel = await openAdministration(page);
  await panel.getByLabel("Id", { exact: true }).fill(user);
  await panel.getByRole("button", { name: "Give role" }).click();
  await expect.poll(() => said(panel)).toContain("is Auditor");
  expect((await standing()).roles).toEqual(["auditor"]);
  expect((await bea.rest("GET", "/audit")).status).toBe(200);

  await panel.getByLabel("Group", { exact: true }).fill("staff");
  await panel.getByLabel("Id of who comes into it").fill(user);
  await panel.getByRole("button", { name: "Add to group" }).click();
  await panel.getByRole("button", { name: `Remove ${user} from staff` }).waitFor();
  expect((await standing()).groups).toEqual(["staff"]);
  if (SCREENSHOTS)
    for (const width of [360, 1280])
      for (const colorScheme of ["light", "dark"] as const) {
        await page.setViewportSize({ width, height: 800 });
        await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
        await page.screenshot({ path: `${SCREENSHOTS}/administration-${width}-${colorScheme}.png` });
      }
  await panel.getByRole("button", { name: `Remove ${user} from staff` }).click();
  await expect.poll(() => said(panel)).toContain("in staff no more");
  expect((await standing()).groups).toEqual([]);
  await panel.getByRole("button", { name: `Take the role Auditor from ${user}` }).click();
  await page.getByRole("alertdialog").getByRole("button", { name: "Take", exact: true }).click();
  await expect.poll(() => said(panel)).toBe("The role is taken.");
  expect((await standing()).roles).toEqual([]);
  expect(problem(await bea.rest("GET", "/audit"))).toBe("403 forbidden");
});

it("M12 who is no admin is offered no administration, and refused it where the page would", async () => {
  const page = await openEnrolled({ system, browsing }, "Cem");
  const button = page.locator('[data-panel="coffer-administration"]');
  expect(await button.isVisible()).toBe(false);
  await button.evaluate((hidden: HTMLButtonElement) => hidden.click());
  const panel = page.getByRole("dialog", { name: "Administration" });
  await expect.poll(() => said(panel)).toBe("This is for admins of the organization.");
  expect(await panel.getByRole("list", { name: "Who has which role" }).getByRole("listitem").count()).toBe(0);
});

it("W12 an admin sees a colleague's vaults on the page and revokes one", async () => {
  const page = await openEnrolled({ system, browsing }, "Ada");
  const lost = await instanceOf(await EdgeClient.signedIn(system, "Lea"));
  const panel = await openAdministration(page);
  await panel.getByLabel("Id of whose vaults").fill(lost.client.tokens.user.id);
  await panel.getByRole("button", { name: "Show vaults" }).click();
  await panel.getByRole("button", { name: `Revoke the vault ${lost.enrolled.instance}` }).click();
  await page.getByRole("alertdialog").getByRole("button", { name: "Revoke", exact: true }).click();
  await expect.poll(() => said(panel)).toContain("no key is released to it any more");
  const vaults = panel.getByRole("list", { name: "Vaults of this person" });
  expect(await vaults.getByRole("listitem").textContent()).toContain("revoked");
  expect(await vaults.getByRole("button").count()).toBe(0);
  const order = { account: lost.client.account, count: 1, purpose: "document" };
  const { edks } = json<{ edks: [string] }>(await lost.client.rest("POST", "/kms/data-keys", order));
  const load = { way: "rewrap", edk: edks[0], certificate: lost.enrolled.wrappingCertificate };
  expect(problem(await lost.client.rest("POST", "/kms/loads", load))).toBe("403 not-recipient");
});

it("M11 an admin sees on the page which keys a colleague has ordered, ends one, and has it kept after all", async () => {
  const page = await openEnrolled({ system, browsing }, "Ada");
  const { client } = await instanceOf(await EdgeClient.signedIn(system, "Kim"));
  const order = { count: 1, purpose: "document", custody: "kms" };
  const { edks } = json<{ edks: [string] }>(await client.rest("POST", "/kms/data-keys", order));
  const { keyId } = JSON.parse(new TextDecoder().decode(jwsParts(edks[0]).payload)) as Edk;
  const listed = async () => {
    const ada = await EdgeClient.signedIn(system, "Ada");
    const of = await ada.rest("GET", `/admin/users/${client.tokens.user.id}/keys`);
    return json<{ keys: { ends?: number }[] }>(of).keys.map(({ ends }) => ends !== undefined);
  };
  const panel = await openAdministration(page);
  await panel.getByLabel("Id of whose keys").fill(client.tokens.user.id);
  await panel.getByRole("button", { name: "Show keys" }).click();
  const keys = panel.getByRole("list", { name: "Keys of this person" }).getByRole("listitem");
  await expect.poll(() => keys.allTextContents()).toEqual([expect.stringContaining(keyId)]);
  for (const words of ["version 1", "document", "enabled", "never used"])
    expect(await keys.textContent()).toContain(words);
  await panel.getByRole("button", { name: `Delete the key ${keyId}.1` }).click();
  await page.getByRole("alertdialog").getByRole("button", { name: "Delete", exact: true }).click();
  await expect.poll(() => said(panel)).toContain("deleted in 30 days");
  expect(await keys.textContent()).toContain("will be deleted");
  expect(await listed()).toEqual([true]);
  await panel.getByRole("combobox", { name: "Which" }).selectOption("enabled");
  await panel.getByRole("button", { name: "Show keys" }).click();
  await panel.getByText("There is no such key of theirs.").waitFor();
  await panel.getByRole("combobox", { name: "Which" }).selectOption("ending");
  await panel.getByRole("button", { name: "Show keys" }).click();
  await panel.getByRole("button", { name: `Keep the key ${keyId}.1` }).click();
  await expect.poll(() => said(panel)).toBe("The key is kept.");
  expect(await listed()).toEqual([false]);
});

it("a late answer of keys or vaults of one person shows nothing among another's, and more keys are told and keep the focus", async () => {
  const page = await openEnrolled({ system, browsing }, "Ada");
  const [ken, liv] = [
    await instanceOf(await EdgeClient.signedIn(system, "Ken")),
    await instanceOf(await EdgeClient.signedIn(system, "Liv")),
  ];
  const [of, other] = [ken.client.tokens.user.id, liv.client.tokens.user.id];
  await ken.client.rest("POST", "/kms/data-keys", { count: 1, purpose: "document", custody: "kms" });
  const gate = Promise.withResolvers<void>();
  await page.route(new RegExp(`/users/${of}/`), async (route) => {
    if (!["GET", "OPTIONS"].includes(route.request().method())) await gate.promise;
    await route.continue();
  });
  const panel = await openAdministration(page);
  const ask = async (what: "keys" | "vaults", user: string) => {
    await panel.getByLabel(`Id of whose ${what}`).fill(user);
    await panel.getByRole("button", { name: `Show ${what}` }).click();
  };
  const question = page.getByRole("alertdialog");
  await ask("keys", of);
  await ask("vaults", of);
  await panel.getByRole("button", { name: /^Delete the key/ }).click();
  await question.getByText(`of ${of}`).waitFor();
  await question.getByRole("button", { name: "Delete", exact: true }).click();
  await panel.getByRole("button", { name: `Revoke the vault ${ken.enrolled.instance}` }).click();
  await question.getByText(`of ${of}`).waitFor();
  await question.getByRole("button", { name: "Revoke", exact: true }).click();
  await ask("keys", other);
  await panel.getByText("There is no such key of theirs.").waitFor();
  await ask("vaults", other);
  const own = panel.getByRole("button", { name: `Revoke the vault ${liv.enrolled.instance}` });
  await own.waitFor();
  const heard = await listen(panel);
  gate.resolve();
  await expect.poll(async () => (await heard()).length).toBe(2);
  expect((await heard()).toSorted()).toEqual([
    "The key is given to nobody any more, and deleted in 30 days.",
    "The vault is revoked: no key is released to it any more.",
  ]);
  expect(await own.isVisible()).toBe(true);
  expect(await panel.getByText("There is no such key of theirs.").isVisible()).toBe(true);
  expect(await panel.getByRole("button", { name: /^Keep the key/ }).count()).toBe(0);

  // As of somebody who has more of them than one page.
  await page.route(new RegExp(`/users/${of}/keys(\\?|$)`), async (route) => {
    if (route.request().method() !== "GET") return route.fallback();
    const response = await route.fetch();
    const body = (await response.json()) as object;
    await route.fulfill({ response, json: { ...body, more: !route.request().url().includes("after=") } });
  });
  await ask("keys", of);
  await panel.getByRole("button", { name: "More keys" }).press("Enter");
  await expect.poll(() => said(panel)).toBe("0 more are shown.");
  expect(await page.evaluate(() => document.activeElement?.getAttribute("aria-label"))).toBe(
    "Keys of this person",
  );
});

it("an admin sees on the page what an account uses, and sets what it may use", async () => {
  const page = await openEnrolled({ system, browsing }, "Ada");
  const mia = await EdgeClient.signedIn(system, "Mia");
  const panel = await openAdministration(page);
  await panel.getByLabel("Id of the account").fill("nobody-s");
  await panel.getByRole("button", { name: "Show use" }).click();
  await expect.poll(() => said(panel)).toBe("There is nothing of this id here.");
  await panel.getByLabel("Id of the account").fill(mia.account);
  await panel.getByRole("button", { name: "Show use" }).click();
  await panel.getByText("0 of 100000 documents").waitFor();
  await panel.getByLabel("Documents at most").fill("0");
  await panel.getByRole("button", { name: "Set", exact: true }).click();
  await expect.poll(() => said(panel)).toContain("from the next request on");
  await panel.getByText("0 of 0 documents").waitFor();
  const create = () => mia.rest("POST", mia.documents, { id: crypto.randomUUID() });
  expect(problem(await create())).toBe("403 quota-exceeded");
  await panel.getByLabel("Documents at most").fill("");
  await panel.getByRole("button", { name: "Set", exact: true }).click();
  await panel.getByText("0 of 100000 documents").waitFor();
  expect((await create()).status).toBe(201);
});

it("a page asks once at its start what the person is and which accounts there are", async () => {
  const page = await openEnrolled({ system, browsing }, "Ada");
  const asked: string[] = [];
  page.on("request", (request) => {
    const { origin, pathname } = new URL(request.url());
    if (origin === system.appOrigin && ["/standing", "/accounts"].includes(pathname)) asked.push(pathname);
  });
  await page.reload();
  await page.getByRole("button", { name: "Administration", exact: true }).waitFor();
  expect(asked).toEqual(["/standing"]);
});
