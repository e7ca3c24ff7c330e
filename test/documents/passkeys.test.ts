/** Passkeys in Chromium with all real parts, and an authenticator of the DevTools protocol: registered in the vault's frame, and shown as evidence (M1). */

import type { Locator } from "playwright";
import { expect, it } from "vitest";
import { EdgeClient } from "../support/edge-client.ts";
import { changeRows, openEnrolled, sealFile, showFile, useSystemAndBrowser } from "../system/index.ts";
import { addPasskey, authenticator, openVaults, said } from "./authenticator.ts";

const { system, browsing } = useSystemAndBrowser();

const passkeys = (panel: Locator) =>
  panel.getByRole("list", { name: "Your passkeys" }).getByRole("listitem").allTextContents();
it("M1 a person adds a passkey by the vault's own button, and an instance that it vouches for has its tier", async () => {
  const page = await openEnrolled({ system, browsing }, "Ada");
  await authenticator(page);
  await sealFile(page, "plan.txt", "the plan");
  const panel = await openVaults(page);
  await addPasskey(page).click();
  await expect.poll(() => said(panel)).toContain("The passkey is added.");
  await expect
    .poll(() => passkeys(panel))
    .toEqual([expect.stringContaining("emulated platform when it was added · of one device")]);
  await panel.getByRole("button", { name: "Renew with a passkey" }).click();
  await expect.poll(() => said(panel), { timeout: 20_000 }).toContain("the ones before are revoked");
  expect(await panel.getByRole("region", { name: "In this browser" }).textContent()).toMatch(
    /Tieremulated platform.*Admitted byattestation.*Statusactive/s,
  );
  await expect.poll(() => passkeys(panel)).toEqual([expect.stringContaining("· used ")]);
  await page.keyboard.press("Escape");
  await expect.poll(() => page.locator('iframe[title="Coffer vault: add a passkey"]').count()).toBe(0);
  expect(await showFile(page, "plan.txt")).toBe("the plan");
});

it("M1 M20 without the person's verification none is added, a removed one vouches for nothing, and another person's neither", async () => {
  const page = await openEnrolled({ system, browsing }, "Bea");
  const { cdp, id } = await authenticator(page);
  const panel = await openVaults(page);
  expect(await panel.getByRole("button", { name: "Renew with a passkey" }).isVisible()).toBe(false);
  // By the keyboard, as by the pointer.
  await addPasskey(page).press("Enter");
  await expect.poll(() => said(panel), { timeout: 10_000 }).toContain("The passkey is added.");
  await expect.poll(() => passkeys(panel)).toHaveLength(1);
  const { credentials } = await cdp.send("WebAuthn.getCredentials", { authenticatorId: id });
  // What somebody has copied out of an emulated authenticator is good for nobody else.
  await panel.getByRole("button", { name: "Remove the passkey" }).click();
  await expect.poll(() => said(panel)).toContain("The passkey is removed");
  expect(await passkeys(panel)).toEqual([]);
  await cdp.send("WebAuthn.setUserVerified", { authenticatorId: id, isUserVerified: false });
  await addPasskey(page).click();
  await expect.poll(() => said(panel), { timeout: 10_000 }).toContain("No passkey was added.");
  expect(await passkeys(panel)).toEqual([]);

  const other = await openEnrolled({ system, browsing }, "Cyd");
  const its = await authenticator(other);
  const theirs = await openVaults(other);
  await addPasskey(other).click();
  await expect.poll(() => passkeys(theirs)).toHaveLength(1);
  await its.cdp.send("WebAuthn.clearCredentials", { authenticatorId: its.id });
  await its.cdp.send("WebAuthn.addCredential", { authenticatorId: its.id, credential: credentials[0]! });
  await theirs.getByRole("button", { name: "Renew with a passkey" }).click();
  await expect.poll(() => said(theirs), { timeout: 20_000 }).not.toMatch(/passkey is added|Making new keys/);
  expect(await theirs.getByRole("region", { name: "In this browser" }).textContent()).toMatch(/Tiersoftware/);
});

it("M1 M20 a passkey that was made in another app of the organization is shown as such, and not offered for removal", async () => {
  const page = await openEnrolled({ system, browsing }, "Dag");
  await authenticator(page);
  const panel = await openVaults(page);
  await addPasskey(page).click();
  await expect.poll(() => passkeys(panel)).toHaveLength(1);
  const remove = panel.getByRole("button", { name: "Remove the passkey" });
  expect(await remove.count()).toBe(1);
  await panel.getByRole("button", { name: "Close" }).click();
  const user = (await EdgeClient.signedIn(system, "Dag")).tokens.user.id;
  changeRows(
    system.edgeDir,
    "passkeys",
    `UPDATE passkeys SET app = 'https://other.example' WHERE user = '${user}'`,
  );
  await openVaults(page);
  await expect.poll(() => passkeys(panel)).toEqual([expect.stringContaining("added in other.example")]);
  expect(await remove.count()).toBe(0);
});
