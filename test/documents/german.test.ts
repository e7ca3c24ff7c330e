/** The page in German, for a reader whose browser says so: in Chromium, with all real parts. */

import { expect, it } from "vitest";
import { typeName, untilEnrolled, useSystemAndBrowser } from "../system/index.ts";
import { violationsOf } from "./axe.ts";

const { system, browsing } = useSystemAndBrowser();

it("speaks German to who reads it, from the start page to a question, and English where that is chosen", async () => {
  const context = await browsing.browser.newContext({ locale: "de-AT" });
  const page = await context.newPage();
  await page.goto(`${system.appOrigin}/`);
  await page.getByRole("heading", { name: "Hier versiegelt, ehe es hinausgeht." }).waitFor();
  expect(await page.evaluate(() => document.documentElement.lang)).toBe("de");
  /** Nothing is wider than the screen, on a phone's either, and a button's name has in it what the button says. */
  const fits = async (name: string) => {
    const to = process.env.COFFER_SCREENSHOTS;
    for (const [width, height] of [
      [360, 740],
      [1280, 900],
    ] as const) {
      await page.setViewportSize({ width, height });
      if (to) await page.screenshot({ path: `${to}/german-${name}-${width}.png` });
      expect(await page.evaluate(() => document.documentElement.scrollWidth), name).toBeLessThanOrEqual(
        width,
      );
    }
    expect.soft(await violationsOf(page), name).toEqual([]);
  };
  await fits("start");
  // Nothing has gone wrong for one who has not signed in.
  expect(await page.getByRole("alert").count()).toBe(0);
  await page.getByRole("button", { name: "Anmelden" }).click();
  await typeName(page, "Ada", new URL(system.vaultOrigin).hostname);
  await page.getByRole("heading", { name: /^Bei .* anmelden\?$/ }).waitFor();
  expect(await page.evaluate(() => document.documentElement.lang)).toBe("de");
  await expect.poll(() => page.getByRole("status").textContent()).toBe("Sie können jetzt antworten.");
  await fits("question who signs in");
  await page.getByRole("button", { name: "Weiter als Ada" }).click();
  await page.getByRole("button", { name: "Abmelden" }).waitFor();
  await untilEnrolled(page);
  const account = await context.newPage();
  await account.goto(`${system.vaultOrigin}/account`);
  await account.getByRole("heading", { name: "Ihr Tresor in diesem Browser" }).waitFor();
  expect(await account.getByRole("listitem").getByRole("button").textContent()).toMatch(/^Abmelden von /);
  for (const width of [360, 1280]) {
    await account.setViewportSize({ width, height: 740 });
    expect(await account.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width);
    expect(await violationsOf(account)).toEqual([]);
  }
  await account.close();
  const file = { name: "Brief.txt", mimeType: "text/plain", buffer: Buffer.from("Liebe Ada") };
  await page.getByLabel("Dateien zum Versiegeln").setInputFiles(file);
  const list = page.getByRole("list", { name: "Dokumente" });
  await list.getByRole("button", { name: "Brief.txt öffnen" }).waitFor();
  expect(await page.locator("[data-count]").textContent()).toBe("1 Dokument · 9 Byte");
  expect(await list.locator("[data-meta]").textContent()).toMatch(/^9 Byte · versiegelt heute, \d\d:\d\d$/);
  for (const [name, title] of [
    ["Schlüssel", "Schlüssel Ihres Kontos"],
    ["Mitglieder", "Mitglieder"],
    ["Aktivität", "Aktivität"],
    ["Tresore", "Ihre Tresore"],
    ["Tastenkürzel", "Tastenkürzel"],
  ] as const) {
    await page.getByRole("button", { name, exact: true }).click();
    const dialog = page.getByRole("dialog", { name: title });
    await dialog.waitFor();
    await fits(name);
    await dialog.getByRole("button", { name: "Schließen" }).click();
  }
  await page.context().setOffline(true);
  const card = { name: "Karte.txt", mimeType: "text/plain", buffer: Buffer.from("Ein Gruß") };
  await page.getByLabel("Dateien zum Versiegeln").setInputFiles(card);
  const waiting = page.getByRole("region", { name: "Wartet auf das Netz" });
  await waiting.getByRole("button", { name: "Karte.txt öffnen" }).waitFor();
  await waiting.getByText("nur in diesem Browser aufbewahrt: 1 von 100").waitFor();
  await fits("waiting");
  await page.context().setOffline(false);
  await list.getByRole("button", { name: "Karte.txt öffnen" }).waitFor();
  await page.getByRole("button", { name: "Brief.txt löschen" }).click();
  const question = page.getByRole("alertdialog", { name: "Dieses Dokument löschen?" });
  await question.getByText("verschwindet aus der Liste").waitFor();
  await fits("question");
  await question.getByRole("button", { name: "Behalten" }).click();
  await page.context().setOffline(true);
  await page.getByRole("button", { name: "Brief.txt löschen" }).click();
  await question.getByRole("button", { name: "Löschen", exact: true }).click();
  await page.getByRole("button", { name: "Noch einmal: Brief.txt" }).waitFor();
  await fits("failed");
  await page.context().setOffline(false);
  await page.getByRole("button", { name: "Noch einmal: Brief.txt" }).click();
  await expect.poll(() => list.getByRole("listitem").count()).toBe(1);
  await page.getByRole("button", { name: "Gelöscht", exact: true }).click();
  const deleted = page.getByRole("dialog", { name: "Gelöschte Dokumente" });
  await deleted.getByRole("button", { name: "Brief.txt wiederherstellen" }).waitFor();
  await fits("deleted");
  await deleted.getByRole("button", { name: "Brief.txt wiederherstellen" }).click();
  await deleted.getByRole("button", { name: "Schließen" }).click();
  await list.getByRole("button", { name: "Brief.txt öffnen" }).waitFor();
  await list.getByRole("checkbox").first().check();
  await fits("selection");
  await page.getByRole("button", { name: "Versionen …" }).click();
  await page.getByRole("dialog", { name: "Versionen" }).waitFor();
  await fits("versions");
  await page.keyboard.press("Escape");

  await page.getByRole("button", { name: "Sperren", exact: true }).click();
  await page.getByRole("heading", { name: "Gesperrt" }).waitFor();
  await fits("locked");
  await page.getByRole("button", { name: "Entsperren" }).click();
  await list.getByRole("button", { name: "Brief.txt öffnen" }).waitFor();

  await page.getByLabel("Sprache").selectOption("English");
  await page.getByRole("button", { name: "Sign out" }).waitFor();
  expect(await page.evaluate(() => document.documentElement.lang)).toBe("en");
  await page.getByRole("button", { name: "Open Brief.txt" }).waitFor();
  await page.reload();
  await page.getByRole("button", { name: "Open Brief.txt" }).waitFor();
  await context.close();
});
